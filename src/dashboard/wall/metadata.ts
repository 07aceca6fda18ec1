const MAX_ROWS = 40;
const MAX_DEPTH = 4;
const MAX_TEXT_LENGTH = 300;
/** Shown as a picture, not as text. */
const PICTURE_FIELDS: ReadonlySet<string> = new Set(['annotated_frame', 'frame_format']);

/** One line of an alert's metadata, for people. */
export interface MetadataRow {
  name: string;
  value: string;
}

/** What a service said beside its message, as lines: maps are taken apart, what is long is cut. */
export function metadataRows(metadata: Readonly<Record<string, unknown>>): readonly MetadataRow[] {
  return rowsOf(metadata, '', 0).slice(0, MAX_ROWS);
}

function rowsOf(fields: object, path: string, depth: number): MetadataRow[] {
  return Object.entries(fields).flatMap(([key, value]: [string, unknown]) => {
    if (PICTURE_FIELDS.has(key) || value === null || value === undefined || value === '') return [];
    const name = path === '' ? plain(key) : `${path} › ${plain(key)}`;
    const isMap = typeof value === 'object' && !Array.isArray(value);
    if (isMap && depth < MAX_DEPTH && !isFlat(value)) return rowsOf(value, name, depth + 1);
    return { name, value: text(value) };
  });
}

/** Of a few numbers, like a box: on one line. */
function isFlat(value: object): boolean {
  const values: unknown[] = Object.values(value);
  return values.length <= 4 && values.every((one) => typeof one === 'number');
}

function text(value: unknown): string {
  const isFlatMap = typeof value === 'object' && value !== null && !Array.isArray(value) && isFlat(value);
  if (isFlatMap) {
    const pairs = Object.entries(value).map(([key, number]: [string, unknown]) => `${key} ${text(number)}`);
    return pairs.join(', ');
  }
  if (typeof value === 'number') return String(Math.round(value * 1_000) / 1_000);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  const long = typeof value === 'string' ? value : JSON.stringify(value);
  return long.length > MAX_TEXT_LENGTH ? `${long.slice(0, MAX_TEXT_LENGTH)}…` : long;
}

/** `objectType` and `object_type` as `object type`. */
function plain(key: string): string {
  return key
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/[_-]+/g, ' ')
    .toLowerCase();
}

/** The picture as the service drew it, base64 of a JPEG, where it sent one. */
export function annotatedPicture(metadata: Readonly<Record<string, unknown>>): string | undefined {
  const { anomaly } = metadata;
  if (typeof anomaly !== 'object' || anomaly === null || !('annotated_frame' in anomaly)) return undefined;
  const { annotated_frame: picture } = anomaly;
  return typeof picture === 'string' && /^[A-Za-z\d+/]+=*$/.test(picture) ? picture : undefined;
}
