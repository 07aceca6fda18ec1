/** One sampled frame on its way to the ML service. `data` stays untouched until the transport has answered. */
export interface SampledFrame {
  streamId: string;
  /** When the encoder captured it, ms since the epoch. */
  timestamp: number;
  /** Number of the frame in its stream. */
  seq: number;
  /** JPEG. */
  data: Uint8Array;
}

/** Whether a frame is still worth sending. May be asked several times about one; what was refused once stays behind. */
export type MayGo = (frame: SampledFrame) => boolean;

/** A way to an ML service. */
export interface MlTransport {
  /** Most frames one request may carry now: 1 when the service takes them one by one. */
  batchSize(): number;
  /**
   * Sends frames and answers with the alerts that came back, as the service wrote them: unchecked.
   * Rejects when the service failed; the frames are then lost, since fresher ones follow.
   * `mayGo`: a transport that lets frames wait, for a connection say, asks about each of them when they go out, and leaves out what may not.
   */
  analyze(frames: readonly SampledFrame[], mayGo?: MayGo): Promise<unknown[]>;
  /** It keeps a connection, and pauses by itself before it tries again. */
  readonly reconnects: boolean;
  /** Whether its connection stands now. True where none is kept. */
  readonly isConnected: boolean;
  /** What was sent last has not left this process yet: the newest frames had better wait here, where newer ones take their place. False while no `analyze` is under way. */
  readonly isBusy: boolean;
  close(): Promise<void>;
}
