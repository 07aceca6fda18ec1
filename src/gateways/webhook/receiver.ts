/** One alert on its way out. `body` is JSON in UTF-8, the very text that viewers get. */
export interface OutgoingAlert {
  readonly id: string;
  readonly streamId: string;
  readonly body: Uint8Array;
}

/** `retryAfterMs`: how long the receiver wants to be left alone, 0 when it did not say. */
export interface ReceiverAnswer {
  status: number;
  retryAfterMs: number;
}

/** The service that keeps alerts. */
export interface AlertReceiver {
  /** Where it is, fit for a log line. */
  readonly address: string;
  /** One attempt. Rejects when nothing answered in time, or not in HTTP. */
  post(alert: OutgoingAlert): Promise<ReceiverAnswer>;
  /** Ends the attempts under way, and lets go of all connections. */
  close(): Promise<void>;
}
