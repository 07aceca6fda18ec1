import type { Config, MlPlace } from './config.ts';
import { createTransport } from './ml/create-transport.ts';
import { MlFeed, type MlFeedParts } from './ml/feed.ts';

export interface ConfiguredFeedParts extends Pick<MlFeedParts, 'clock' | 'log' | 'after' | 'onAlert' | 'requestTook'> {
  config: Config;
  place: MlPlace;
}

/** The feed of the ML service at `place`, and the way there, as the environment has them. */
export async function createMlFeed({ config, place, ...parts }: ConfiguredFeedParts): Promise<MlFeed> {
  const { clock, log, after } = parts;
  const maxInFlight = config.ML_MAX_IN_FLIGHT;
  const transport = await createTransport(place, {
    token: config.ML_SERVICE_TOKEN,
    protocol: config.ML_PROTOCOL,
    batchSize: config.ML_BATCH_SIZE,
    maxInFlight,
    timeoutMs: config.ML_TIMEOUT_MS,
    clock,
    log,
    after,
    random: Math.random,
    onAlert: (alert) => feed.reported(alert),
  });
  const feed: MlFeed = new MlFeed({
    ...parts,
    transport,
    fps: config.ML_FPS,
    batchWaitMs: config.ML_BATCH_WAIT_MS,
    maxInFlight,
    maxAgeMs: config.ML_MAX_AGE_MS,
    timeoutMs: config.ML_TIMEOUT_MS,
    priorityField: config.ML_PRIORITY_FIELD,
    // Without the token nobody may post alerts.
    keepsRecent: config.ML_SERVICE_TOKEN !== undefined,
  });
  return feed;
}
