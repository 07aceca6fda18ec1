const OPCODES = { text: 0x81, binary: 0x82, close: 0x88, pong: 0x8a } as const;

/**
 * The header of one WebSocket message as a client sends it. The mask is zero, so that masking costs the load nothing; a server
 * unmasks all the same.
 */
export function clientHeader(kind: keyof typeof OPCODES, payloadBytes: number): Buffer {
  const lengthBytes = payloadBytes < 126 ? 0 : payloadBytes < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + lengthBytes + 4);
  header[0] = OPCODES[kind];
  if (lengthBytes === 0) header[1] = 0x80 | payloadBytes;
  else if (lengthBytes === 2) {
    header[1] = 0x80 | 126;
    header.writeUInt16BE(payloadBytes, 2);
  } else {
    header[1] = 0x80 | 127;
    header.writeBigUInt64BE(BigInt(payloadBytes), 2);
  }
  return header;
}

/** One whole message as a client sends it. */
export function clientFrame(kind: keyof typeof OPCODES, payload: Uint8Array): Buffer {
  return Buffer.concat([clientHeader(kind, payload.length), payload]);
}
