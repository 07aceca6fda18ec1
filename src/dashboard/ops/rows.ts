import type { ConnectionRow, ConnectionTable } from './answers.ts';
import type { Tables } from './connection-watch.ts';
import { type Flow, flowOf, type Seen } from './flow.ts';
import { type Reason, whySlow } from './why-slow.ts';

/** One row of the table as it is shown. */
export interface ShownRow {
  row: ConnectionRow;
  /** Undefined: there was only one look yet. */
  flow: Flow | undefined;
  why: Reason;
  /** What is there to be found by the filter. */
  text: string;
}

export const COLUMNS = ['who', 'role', 'what', 'since', 'in', 'out', 'skipped', 'waiting', 'why'] as const;
export type Column = (typeof COLUMNS)[number];

export interface Sorting {
  column: Column;
  isDescending: boolean;
}

const SEVERITY: Readonly<Record<Reason['mood'], number>> = { bad: 3, warn: 2, note: 1, good: 0 };
const ROLE_NAMES: Readonly<Record<ConnectionRow['role'], string>> = {
  encoder: 'camera',
  viewer: 'viewer',
  ml: 'ML service',
  alerts: 'alerts only',
  unnamed: 'unnamed',
};

/** All rows of the newest look, with what happened since the one before. In the router's order, the slowest first. */
export function rowsOf({ before, now }: Tables): ShownRow[] {
  const earlier = new Map((before?.connections ?? []).map((row) => [row.id, row]));
  return now.connections.map((row) => {
    const known = earlier.get(row.id);
    const was = known === undefined || before === undefined ? undefined : seen(before, known);
    const is = seen(now, row);
    const why = whySlow(was, is);
    return { row, flow: flowOf(was, is), why, text: textOf(row, why).toLowerCase() };
  });
}

/** Those that have all words of the filter, sorted; equal ones stay in the router's order. */
export function arranged(rows: readonly ShownRow[], filter: string, { column, isDescending }: Sorting): ShownRow[] {
  const words = filter.toLowerCase().split(/\s+/);
  const found = rows.filter(({ text }) => words.every((word) => text.includes(word)));
  const sign = isDescending ? -1 : 1;
  return found.sort((a, b) => sign * compare(keyOf(a, column), keyOf(b, column)));
}

export function roleName({ role }: ConnectionRow): string {
  return ROLE_NAMES[role];
}

/** What it feeds or watches, in a line. */
export function whatOf({ stream, subscriptions = [], subscriptionCount = 0, path }: ConnectionRow): string {
  if (stream) return stream.streamId;
  const [first] = subscriptions;
  if (first === undefined) return path;
  return subscriptionCount === 1 ? first.streamId : `${first.streamId} and ${subscriptionCount - 1} more`;
}

/** Frames a second that it did not get, or that were not taken of it, for whatever cause. */
export function skippedOf({ slow, limited, rejected }: Flow): number {
  return slow + limited + rejected.rate + rejected.notYours + rejected.invalid;
}

function seen({ at }: ConnectionTable, row: ConnectionRow): Seen {
  return { atMs: at, row };
}

function textOf(row: ConnectionRow, why: Reason): string {
  const streams = [row.stream?.streamId, ...(row.subscriptions ?? []).map(({ streamId }) => streamId)];
  const parts = [
    row.id,
    row.userId,
    row.address,
    row.path,
    row.transport,
    row.encoding,
    roleName(row),
    ...streams,
    why.words,
  ];
  return parts.filter((part) => part !== undefined && part !== null).join(' ');
}

function keyOf({ row, flow, why }: ShownRow, column: Column): string | number {
  switch (column) {
    case 'who':
      return row.userId ?? '';
    case 'role':
      return roleName(row);
    case 'what':
      return whatOf(row);
    case 'since':
      return row.connectedAtMs;
    case 'in':
      return flow?.in ?? 0;
    case 'out':
      return flow?.out ?? 0;
    case 'skipped':
      return flow === undefined ? 0 : skippedOf(flow);
    case 'waiting':
      return row.waitingBytes;
    case 'why':
      return SEVERITY[why.mood];
  }
}

function compare(a: string | number, b: string | number): number {
  return typeof a === 'string' ? a.localeCompare(String(b)) : a - Number(b);
}
