/** How the ML service is while cameras send and dashboards watch. `off`: there is none. `dead`: nobody listens at its address. */
export const ML_CONDITIONS = [
  'off',
  'busy',
  'hanging',
  'dead',
  'dying',
  'resetting',
  'dripping',
  'garbage',
  'huge',
  'unknown streams',
] as const;
export type MlCondition = (typeof ML_CONDITIONS)[number];

export const CONDITION_WORDS: Readonly<Record<MlCondition, string>> = {
  off: 'ML off',
  busy: 'does 20 fps',
  hanging: 'reads and never answers',
  dead: 'nobody listens',
  dying: 'does 20 fps, gone for 4 s of every 8',
  resetting: 'resets every connection',
  dripping: 'answers a byte every 0.5 s',
  garbage: 'answers garbage',
  huge: 'answers 20 MB',
  'unknown streams': 'does 20 fps, alerts for streams that do not exist',
};

/** What a service was sent. */
export interface ServiceReport {
  requests: number;
  frames: number;
  /** Of any frame, from its capture to the arrival of its request. */
  maxAgeMs: number;
  ofStream: Record<string, number>;
}
