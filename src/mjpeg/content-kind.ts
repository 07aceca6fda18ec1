/** What a body is: one picture; parts with a boundary, undefined where only the body shows it; or pictures one after the other, or whatever its first bytes say. */
export type ContentKind = { kind: 'picture' } | { kind: 'parts'; boundary: string | undefined } | { kind: 'series' };

const PICTURE = /^image\/(jpeg|jpg|pjpeg)$/;
const PARTS = /^multipart\/[\w.+-]+$/;
/** Programs that send what they have to an address often say nothing of its type. */
const SERIES = /^(|application\/octet-stream|video\/(x-motion-jpeg|x-mjpeg|mjpeg))$/;
const BOUNDARY = /;\s*boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i;

/** What can be posted as pictures, for who posted something else. */
export const CONTENT_TYPES = 'image/jpeg, multipart/x-mixed-replace, multipart/form-data or video/x-motion-jpeg';

/** Undefined: it holds no pictures. */
export function contentKind(contentType: string): ContentKind | undefined {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (PICTURE.test(type)) return { kind: 'picture' };
  if (SERIES.test(type)) return { kind: 'series' };
  if (!PARTS.test(type)) return undefined;
  const [, quoted, plain] = BOUNDARY.exec(contentType) ?? [];
  return { kind: 'parts', boundary: quoted ?? plain };
}

/** Whether a part of a body is a picture, as far as its headers say. A field of a form is none. */
export function isPicturePart(headers: ReadonlyMap<string, string>): boolean {
  const type = headers.get('content-type');
  if (type === undefined) return !headers.has('content-disposition');
  const kind = contentKind(type)?.kind;
  return kind === 'picture' || kind === 'series';
}
