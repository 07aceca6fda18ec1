import { expect, onTestFinished, test } from 'vitest';
import { parseReportedAlert } from '../../proto/codec.ts';
import { createHttpTransport } from '../../src/ml/http-transport.ts';
import type { SampledFrame } from '../../src/ml/transport.ts';
import { type MlAnswer, type MlRequest, startTestMlService } from '../support/ml-service.ts';
import { FakeTime } from './fakes.ts';

const frame: SampledFrame = { streamId: 'door', timestamp: 1, seq: 1, data: Uint8Array.of(0xff, 0xd8) };

async function worldOf(answer: (request: MlRequest) => MlAnswer) {
  const service = await startTestMlService(answer);
  onTestFinished(() => service.stop());
  const time = new FakeTime();
  const transport = createHttpTransport({
    url: service.url,
    token: undefined,
    protocol: 'auto',
    batchSize: 16,
    maxInFlight: 4,
    timeoutMs: 5_000,
    clock: time,
  });
  onTestFinished(() => transport.close());
  const paths = () => service.requests.splice(0).map(({ path }) => path);
  return { time, transport, paths };
}

test('a service that is replaced by one that knows batches is sent batches within a minute, and no frame is lost on the way', async () => {
  let knowsBatches = false;
  const { time, transport, paths } = await worldOf(({ path }) =>
    path === '/analyze/batch' && !knowsBatches
      ? { status: 404 }
      : { status: 200, body: { alert: { severity: 'low', message: path } } },
  );
  const alert = (message: string) => expect.objectContaining({ message });
  expect(await transport.analyze([frame])).toEqual([alert('/analyze')]);
  expect(paths()).toEqual(['/analyze/batch', '/analyze']);

  time.advance(59_000);
  expect(await transport.analyze([frame])).toEqual([alert('/analyze')]);
  expect(paths()).toEqual(['/analyze']);

  // Asked again, in vain: the frame goes the old way in the same breath.
  time.advance(1_000);
  expect(await transport.analyze([frame])).toEqual([alert('/analyze')]);
  expect(paths()).toEqual(['/analyze/batch', '/analyze']);
  expect(transport.batchSize()).toBe(1);

  knowsBatches = true;
  time.advance(60_000);
  expect(await transport.analyze([frame])).toEqual([alert('/analyze/batch')]);
  expect(transport.batchSize()).toBe(16);
  expect(await transport.analyze([frame, { ...frame, streamId: 'gate' }])).toEqual([alert('/analyze/batch')]);
  expect(paths()).toEqual(['/analyze/batch', '/analyze/batch']);
});

test('of many frames that go out in the moment it is asked again, one asks', async () => {
  const { time, transport, paths } = await worldOf(({ path }) => ({ status: path === '/analyze' ? 200 : 404 }));
  await transport.analyze([frame]);
  paths();
  time.advance(60_000);
  await Promise.all(['a', 'b', 'c'].map((streamId) => transport.analyze([{ ...frame, streamId }])));
  expect(paths().sort()).toEqual(['/analyze', '/analyze', '/analyze', '/analyze/batch']);
});

test('an original service may answer in the older words, too, without repeating which stream it was asked about', async () => {
  const alert = { type: 'anomaly_detected', result: { classification: 'Fall', confidence: 'High' } };
  const { transport } = await worldOf(({ path }) =>
    path === '/analyze' ? { status: 200, body: { alert } } : { status: 404 },
  );
  const [answer] = await transport.analyze([frame]);
  expect(parseReportedAlert(answer)).toMatchObject({ streamId: 'door', severity: 'high', message: 'Fall' });
});
