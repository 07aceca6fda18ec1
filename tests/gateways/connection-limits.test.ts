import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConnectionLimits } from '../../src/gateways/websocket/connection-limits.ts';

const MAXIMA = { total: 6, perAddress: 4, pendingPerAddress: 2, perUser: 3 };

test('however connections come, settle and go, no limit is passed, and none is reached too early', () => {
  const step = fc.record({ address: fc.constantFrom('a', 'b', 'c'), isPending: fc.boolean(), pick: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('enter', 'settle', 'leave'), step), { maxLength: 60 }), (steps) => {
      const limits = new ConnectionLimits(MAXIMA);
      let inside: { address: string; isPending: boolean }[] = [];
      for (const [what, { address, isPending, pick }] of steps) {
        const one = inside[pick % Math.max(1, inside.length)];
        if (what === 'enter') {
          const ofAddress = inside.filter((other) => other.address === address);
          const expected =
            inside.length >= MAXIMA.total
              ? 'total'
              : ofAddress.length >= MAXIMA.perAddress
                ? 'perAddress'
                : isPending && ofAddress.filter((other) => other.isPending).length >= MAXIMA.pendingPerAddress
                  ? 'pendingPerAddress'
                  : undefined;
          expect(limits.enter(address, isPending)).toBe(expected);
          if (expected === undefined) inside.push({ address, isPending });
        } else if (what === 'settle' && one?.isPending) {
          limits.settle(one.address);
          one.isPending = false;
        } else if (what === 'leave' && one !== undefined) {
          if (one.isPending) limits.settle(one.address);
          limits.leave(one.address);
          inside = inside.filter((other) => other !== one);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('a user has so many connections, and room again when one leaves; another user is not touched', () => {
  const limits = new ConnectionLimits(MAXIMA);
  for (let n = 0; n < MAXIMA.perUser; n += 1) expect(limits.enterUser('anna')).toBeUndefined();
  expect(limits.enterUser('anna')).toBe('perUser');
  expect(limits.enterUser('ben')).toBeUndefined();
  limits.leaveUser('anna');
  expect(limits.enterUser('anna')).toBeUndefined();
});
