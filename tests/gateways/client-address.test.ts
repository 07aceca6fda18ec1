import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { areProxies, clientAddressBehind } from '../../src/gateways/client-address.ts';

describe('whose connection it is', () => {
  const behind = clientAddressBehind(['10.0.0.0/8', 'loopback', '2001:db8:ff::/48']);
  const rows: [string, string, string, string][] = [
    ['nobody forwards', '203.0.113.7', '', '203.0.113.7'],
    ['a stranger claims to forward', '203.0.113.7', '198.51.100.1', '203.0.113.7'],
    ['a proxy forwards', '10.1.2.3', '203.0.113.7', '203.0.113.7'],
    ['two proxies forward', '10.1.2.3', '203.0.113.7, 10.9.9.9', '203.0.113.7'],
    ['a client wrote something before the proxy did', '10.1.2.3', '127.0.0.1, 8.8.8.8, 203.0.113.7', '203.0.113.7'],
    ['a proxy sends nothing', '10.1.2.3', '', '10.1.2.3'],
    ['all of them are proxies', '10.1.2.3', '10.3.3.3, 10.2.2.2', '10.3.3.3'],
    ['a proxy adds the port', '10.1.2.3', '203.0.113.7:51234', '203.0.113.7'],
    ['a proxy adds the port to IPv6', '10.1.2.3', '[2001:db8:1:2:3::4]:51234', '2001:db8:1:2::/64'],
    ['a proxy does not know', '10.1.2.3', 'unknown', '10.1.2.3'],
    ['garbage', '10.1.2.3', ';;,,"\u0000,', '10.1.2.3'],
    ['IPv4 in IPv6, as a socket for both shows it', '0000:0000:0000:0000:0000:ffff:cb00:7107', '', '203.0.113.7'],
    ['a proxy in IPv6 form', '::ffff:10.1.2.3', '203.0.113.7', '203.0.113.7'],
    ['IPv6 counts by its /64', '2001:0db8:0001:0002:aaaa:bbbb:cccc:dddd', '', '2001:db8:1:2::/64'],
    ['a zone that no parser likes', '10.1.2.3', 'fe80::1%a-b', 'fe80::/64'],
    ['a zone beside a port', '10.1.2.3', '[fe80::1%a-b]:1', 'fe80::/64'],
    ['garbage that a client wrote before the proxy did', '10.1.2.3', '::1%., fe80::1%a-b, 203.0.113.7', '203.0.113.7'],
    ['a proxy with IPv6', '2001:db8:ff::1', '2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ];
  test.each(rows)('%s', (_what, remote, forwardedFor, expected) => {
    expect(behind(remote, forwardedFor)).toBe(expected);
  });

  test('without trusted proxies the header changes nothing, whatever is in it', () => {
    const direct = clientAddressBehind([]);
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(direct('203.0.113.7', header)).toBe('203.0.113.7');
      }),
    );
  });

  test('whatever a proxy passes on, there is an answer, and what a client wrote before it never counts', () => {
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), (written, address) => {
        fc.pre(!address.startsWith('10.') && !address.startsWith('127.'));
        expect(behind('10.1.2.3', `${written}, ${address}`)).toBe(address);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(typeof behind('10.1.2.3', header)).toBe('string');
      }),
    );
  });
});

test('a list of proxies that cannot be told from other addresses is refused at the start', () => {
  for (const list of [['10.0.0.0/8'], ['loopback', '::1'], ['192.0.2.1']]) expect(areProxies(list)).toBe(true);
  for (const list of [['proxy.example'], ['10.0.0.0/99'], [''], ['10.0.0.0-10.0.0.9']]) {
    expect(areProxies(list)).toBe(false);
  }
});
