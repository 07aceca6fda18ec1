import { useSignal } from '@preact/signals';
import { session } from '../common/session.ts';
import { SignIn } from '../common/sign-in.tsx';
import { credentials, opsToken, type Tables, tables, trouble } from './connection-watch.ts';
import { bytes, clockTime, counted, duration, number } from './numbers.ts';
import { OpsTokenForm } from './ops-token-form.tsx';
import {
  arranged,
  COLUMNS,
  type Column,
  roleName,
  rowsOf,
  type ShownRow,
  type Sorting,
  skippedOf,
  whatOf,
} from './rows.ts';

const TITLES: Readonly<Record<Column, string>> = {
  who: 'Who',
  role: 'Role',
  what: 'Stream',
  since: 'Since',
  in: 'In, fps',
  out: 'Out, fps',
  skipped: 'Skipped, fps',
  waiting: 'Waiting',
  why: 'Why is it slow?',
};
const HAS_NUMBERS: readonly Column[] = ['in', 'out', 'skipped', 'waiting'];

/** Who is connected, and why one of them is slow. */
export function Connections() {
  return (
    <section id="connections" aria-labelledby="connections-title">
      <h2 id="connections-title">Connections</h2>
      {trouble.value === undefined ? null : <p role="status">{trouble.value}</p>}
      {credentials.value === undefined && session.value.kind === 'signed-out' ? (
        <SignIn reason={session.value.reason} />
      ) : null}
      <OpsTokenForm />
      {tables.value === undefined ? <Waiting /> : <Table tables={tables.value} />}
    </section>
  );
}

function Waiting() {
  return credentials.value === undefined ? null : <p class="muted">Asking the router…</p>;
}

function Table({ tables }: { tables: Tables }) {
  const filter = useSignal('');
  const sorting = useSignal<Sorting>({ column: 'why', isDescending: true });
  const rows = arranged(rowsOf(tables), filter.value, sorting.value);
  const { total, connections } = tables.now;
  const whose = opsToken.value === null ? 'yours, and who watches your streams' : 'everybody’s';
  const sortBy = (column: Column) => {
    const { column: current, isDescending } = sorting.value;
    const begins = HAS_NUMBERS.includes(column) || column === 'why';
    sorting.value = { column, isDescending: column === current ? !isDescending : begins };
  };
  return (
    <>
      <p class="table-tools">
        <label>
          Filter
          <input
            type="search"
            value={filter.value}
            onInput={(event) => {
              filter.value = event.currentTarget.value;
            }}
          />
        </label>
        <span class="muted" id="connections-count">
          {rows.length === total
            ? counted(total, 'connection')
            : `${number(rows.length)} of ${counted(total, 'connection')}`}
          : {whose}
          {tables.now.more ? `. Only the ${number(connections.length)} slowest are asked for` : ''}
        </span>
      </p>
      <div class="table-frame panel">
        <table class="connections">
          <caption class="unseen">
            Connections, with what goes through them in a second and why they are slow. Column heads sort.
          </caption>
          <thead>
            <tr>
              {COLUMNS.map((column) => (
                <th
                  key={column}
                  scope="col"
                  class={HAS_NUMBERS.includes(column) ? 'numeric' : ''}
                  aria-sort={sortOf(column, sorting.value)}
                >
                  <button type="button" onClick={() => sortBy(column)}>
                    {TITLES[column]}
                    <span aria-hidden="true">{arrowOf(column, sorting.value)}</span>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((shown) => (
              <Row key={shown.row.id} shown={shown} atMs={tables.now.at} />
            ))}
          </tbody>
        </table>
        {rows.length === 0 ? (
          <p class="muted">{total === 0 ? 'Nobody is connected.' : 'None has these words.'}</p>
        ) : null}
      </div>
    </>
  );
}

function Row({ shown, atMs }: { shown: ShownRow; atMs: number }) {
  const { row, flow, why } = shown;
  const since = `${clockTime(row.connectedAtMs)}, for ${duration(Math.max(0, atMs - row.connectedAtMs))}`;
  const rate = (value: number | undefined) => (value === undefined ? '…' : number(value));
  return (
    <tr data-mood={why.mood} data-id={row.id}>
      <th scope="row" data-title={TITLES.who}>
        <span class="who" title={row.userId ?? undefined}>
          {row.userId ?? 'nobody’s'}
        </span>
        <span class="muted small">
          no. {row.id}
          {row.address === undefined ? '' : `, ${row.address}`}
        </span>
      </th>
      <td data-title={TITLES.role} class="role">
        {roleName(row)}
        <span class="muted small">
          {[
            row.transport === 'websocket' ? row.encoding : row.transport,
            row.rttMs === null ? undefined : `${row.rttMs} ms`,
          ]
            .filter(Boolean)
            .join(', ')}
        </span>
      </td>
      <td data-title={TITLES.what} class="stream">
        {whatOf(row)}
      </td>
      <td data-title={TITLES.since} class="since">
        {since}
      </td>
      <td data-title={TITLES.in} class="numeric">
        {rate(flow?.in)}
      </td>
      <td data-title={TITLES.out} class="numeric">
        {rate(flow?.out)}
      </td>
      <td data-title={TITLES.skipped} class="numeric">
        {flow === undefined ? '…' : number(skippedOf(flow))}
        {flow === undefined ? null : <span class="muted small">{causes(shown)}</span>}
      </td>
      <td data-title={TITLES.waiting} class="numeric">
        {row.waitingBytes === 0 ? '0' : bytes(row.waitingBytes)}
      </td>
      <td data-title={TITLES.why} class="why">
        <span class="state" data-mood={why.mood === 'note' ? 'unknown' : why.mood}>
          {why.words}
        </span>
      </td>
    </tr>
  );
}

/** What was skipped, by cause. */
function causes({ flow }: ShownRow): string {
  if (flow === undefined) return '';
  const { slow, limited, rejected } = flow;
  const named: [string, number][] = [
    ['slow', slow],
    ['wants fewer', limited],
    ['over the limit', rejected.rate],
    ['not its own', rejected.notYours],
    ['invalid', rejected.invalid],
  ];
  return named.flatMap(([cause, count]) => (count > 0 ? [`${number(count)} ${cause}`] : [])).join(', ');
}

function sortOf(column: Column, sorting: Sorting): 'ascending' | 'descending' | 'none' {
  if (column !== sorting.column) return 'none';
  return sorting.isDescending ? 'descending' : 'ascending';
}

function arrowOf(column: Column, sorting: Sorting): string {
  return { ascending: ' ▲', descending: ' ▼', none: '' }[sortOf(column, sorting)];
}
