/** Takes one JPEG. `timestamp`: when it was captured, ms since the epoch, where the source says it. */
export type TakePicture = (picture: Uint8Array, timestamp?: number) => void;

/** Where pictures come from. */
export interface PictureSource {
  /** In words, without secrets. */
  readonly description: string;
  /** What its stream is called unless somebody says otherwise. */
  readonly streamId: string;
  /** `recording`: it has an end, and can be played again at once. `live`: an end is a failure. */
  readonly kind: 'recording' | 'live';
  /**
   * Before anything else is begun: is there something to play?
   * @throws SourceError
   */
  prepare(): Promise<void>;
  /**
   * Plays it to its end, or until `signal`.
   * @throws SourceError, or anything once `signal` is aborted.
   */
  play(take: TakePicture, signal: AbortSignal): Promise<void>;
}

/** A source that cannot be played, and why, in plain words. `isFinal`: it will be the same the next time. */
export class SourceError extends Error {
  readonly isFinal: boolean;

  constructor(message: string, { isFinal }: { isFinal: boolean }) {
    super(message);
    this.name = 'SourceError';
    this.isFinal = isFinal;
  }
}

/** A stream's name made of another one: what may not be in it is left out. */
export function streamIdOf(name: string): string {
  const id = name
    .replaceAll(/[^A-Za-z0-9_.:-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 128);
  return id === '' ? 'camera' : id;
}
