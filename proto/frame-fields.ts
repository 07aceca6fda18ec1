/** A field of a frame that the protocol knows. `bit` tells it from the others in a set of them. */
export interface FrameField {
  name: string;
  bytes: Uint8Array;
  bit: number;
}

export const TYPE: FrameField = { name: 'type', bytes: Buffer.from('type'), bit: 1 };
export const STREAM_ID: FrameField = { name: 'streamId', bytes: Buffer.from('streamId'), bit: 2 };
export const TIMESTAMP: FrameField = { name: 'timestamp', bytes: Buffer.from('timestamp'), bit: 4 };
export const DATA: FrameField = { name: 'data', bytes: Buffer.from('data'), bit: 8 };

export const FRAME_FIELDS: readonly FrameField[] = [TYPE, STREAM_ID, TIMESTAMP, DATA];
/** All of their bits. */
export const ALL_FRAME_FIELDS = 15;

/** Which field a key names. By bytes: to make a string of each key would cost more than all the rest of reading the head. */
export function fieldAt(bytes: Uint8Array, start: number, end: number): FrameField | undefined {
  for (const field of FRAME_FIELDS) if (isAt(bytes, start, end, field.bytes)) return field;
  return undefined;
}

/** Whether `[start, end)` is exactly this text, all of it ASCII. */
export function isAscii(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i += 1) {
    const byte = bytes[start + i] as number;
    if (byte !== text.charCodeAt(i) || byte > 0x7f) return false;
  }
  return true;
}

/** Whether `[start, end)` is exactly `expected`. */
export function isAt(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i += 1) if (bytes[start + i] !== expected[i]) return false;
  return true;
}
