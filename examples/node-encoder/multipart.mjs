/** More than the router takes is no picture. */
const MAX_BYTES = 16 * 1024 * 1024;
const HEAD_END = '\r\n\r\n';

/** The bodies of a multipart answer, one by one as they come. They end where their `Content-Length` says, or else at the next boundary. */
export async function* multipartBodies(response) {
  const type = response.headers.get('content-type') ?? '';
  const boundary = /^multipart\/.*boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (boundary === undefined) throw new Error(`it answers with ${type || 'something'}, not with MJPEG`);
  // Some cameras count the dashes before a boundary as part of its name.
  const delimiter = `--${boundary.replace(/^-+/, '')}`;
  let pending = Buffer.alloc(0);
  for await (const chunk of response.body) {
    pending = Buffer.concat([pending, chunk]);
    for (let part = firstPart(pending, delimiter); part !== undefined; part = firstPart(pending, delimiter)) {
      yield part.body;
      pending = pending.subarray(part.end);
    }
    if (pending.length > MAX_BYTES) throw new Error(`it sends a picture of more than ${MAX_BYTES} bytes`);
  }
}

/** Undefined while some of it is missing. */
function firstPart(bytes, delimiter) {
  const from = bytes.indexOf(delimiter);
  const headEnd = from === -1 ? -1 : bytes.indexOf(HEAD_END, from);
  if (headEnd === -1) return undefined;
  const start = headEnd + HEAD_END.length;
  const length = /^content-length: *(\d+)/im.exec(bytes.toString('latin1', from, headEnd))?.[1];
  if (length !== undefined) {
    const end = start + Number(length);
    return end <= bytes.length ? { body: bytes.subarray(start, end), end } : undefined;
  }
  const next = bytes.indexOf(delimiter, start);
  if (next === -1) return undefined;
  // Before the delimiter there is a line break, and dashes that are part of its name.
  const end = bytes.lastIndexOf('\r\n', next);
  return { body: bytes.subarray(start, end < start ? next : end), end: next };
}
