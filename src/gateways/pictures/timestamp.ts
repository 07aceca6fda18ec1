/** When a picture was captured, as its encoder says in `X-Timestamp`: ms since the epoch, with or without a fraction. Undefined: it does not say. */
export function readTimestamp(text: string): number | undefined {
  return /^\d{1,16}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
}
