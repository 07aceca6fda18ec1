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

/** A way to an ML service. */
export interface MlTransport {
  /** Most frames one request may carry now: 1 when the service takes them one by one. */
  batchSize(): number;
  /**
   * Sends frames and answers with the alerts that came back, as the service wrote them: unchecked.
   * Rejects when the service failed; the frames are then lost, since fresher ones follow.
   */
  analyze(frames: readonly SampledFrame[]): Promise<unknown[]>;
  /** It keeps a connection, and pauses by itself before it tries again. */
  readonly reconnects: boolean;
  /** Whether its connection stands now. True where none is kept. */
  readonly isConnected: boolean;
  close(): Promise<void>;
}
