import type { Alert } from '../../client/index.ts';

/** Where something was seen, in pixels of the picture. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  label: string;
}

/** Where services put one. A plain `location` is often only a point, or a name: then it is no box. */
const BOX_FIELDS = ['bbox', 'boundingBox', 'bounding_box', 'location', 'box'] as const;
/** Where they put several, each a box itself or a map that has one. */
const LIST_FIELDS = ['boxes', 'bboxes', 'detections', 'objects'] as const;
const LABEL_FIELDS = ['label', 'objectType', 'object_type', 'class', 'classification'] as const;
const MAX_BOXES = 20;
const MAX_LABEL_LENGTH = 40;

type Fields = Record<string, unknown>;

/** The boxes that an alert speaks of, in the words of any of the services: at most 20. */
export function boxesOf({ metadata, message }: Pick<Alert, 'metadata' | 'message'>): Box[] {
  const anomaly = fieldsOf(metadata['anomaly']);
  const places = [metadata, fieldsOf(anomaly?.['result']), anomaly].filter((place) => place !== undefined);
  const boxes = places.flatMap((place) => boxesIn(place, labelOf(place) ?? message));
  const distinct = new Map(boxes.map((box) => [`${box.x} ${box.y} ${box.width} ${box.height}`, box]));
  return [...distinct.values()].slice(0, MAX_BOXES);
}

function boxesIn(place: Fields, label: string): Box[] {
  const lists = [...LIST_FIELDS, ...BOX_FIELDS].map((field) => place[field]).filter((value) => Array.isArray(value));
  const several = lists.flat().flatMap((one: unknown) => {
    const fields = fieldsOf(one);
    return fields === undefined ? [] : ownBoxes(fields, labelOf(fields) ?? label);
  });
  return [...ownBoxes(place, label), ...several];
}

/** Of a map that is a box, or has one. */
function ownBoxes(place: Fields, label: string): Box[] {
  const candidates = [place, ...BOX_FIELDS.map((field) => fieldsOf(place[field]))];
  return candidates.flatMap((candidate) => (candidate === undefined ? [] : (boxFrom(candidate, label) ?? [])));
}

function boxFrom(fields: Fields, label: string): Box | undefined {
  const { x, y } = fields;
  const width = fields['w'] ?? fields['width'];
  const height = fields['h'] ?? fields['height'];
  if (!isNumber(x) || !isNumber(y) || !isNumber(width) || !isNumber(height)) return undefined;
  return width > 0 && height > 0 ? { x, y, width, height, label } : undefined;
}

/** `Person 95 %`. */
function labelOf(fields: Fields): string | undefined {
  const name = LABEL_FIELDS.map((field) => fields[field]).find((value) => typeof value === 'string' && value !== '');
  if (typeof name !== 'string') return undefined;
  const { confidence } = fields;
  const isShare = isNumber(confidence) && confidence >= 0 && confidence <= 1;
  return `${name.slice(0, MAX_LABEL_LENGTH)}${isShare ? ` ${Math.round(confidence * 100)} %` : ''}`;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}
