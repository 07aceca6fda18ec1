import type { RefObject } from 'preact';
import { useState } from 'preact/hooks';
import { type AlertFilter, activeParts, fits, isTimed, NO_FILTER } from './alert-filter.ts';
import { AlertFilters } from './alert-filters.tsx';
import { AlertItem } from './alert-item.tsx';
import { MAX_ALERTS } from './alert-log.ts';
import { AlertSettings } from './alert-settings.tsx';
import { clock } from './clock.ts';
import type { Watch } from './watch.ts';
import { countWords } from './words.ts';

export interface AlertPanelProps {
  watch: Watch;
  panel: RefObject<HTMLElement | null>;
  onShow: (streamId: string) => void;
}

/** All alerts that are held here, the newest first, and what they are filtered by. */
export function AlertPanel({ watch, panel, onShow }: AlertPanelProps) {
  const [filter, setFilter] = useState<AlertFilter>(NO_FILTER);
  const { alerts, streams } = watch;
  const { alerts: all, isCut } = alerts.log.value;
  const names = new Map(streams.value.map(({ streamId, name }) => [streamId, name]));
  const nameOf = (streamId: string) => names.get(streamId) ?? watch.nameOf(streamId);
  // Once a second only where that changes something.
  const nowMs = isTimed(filter) ? clock.value : 0;
  const shown = all.filter((alert) => fits(alert, filter, nameOf, nowMs));
  const history = alerts.history.value;
  return (
    <section ref={panel} class="alerts" aria-label="Alerts" tabIndex={-1}>
      <div class="toolbar">
        <h2>Alerts</h2>
        <AlertSettings />
      </div>
      <AlertFilters
        filter={filter}
        streamIds={[...new Set([...names.keys(), ...all.map(({ streamId }) => streamId)])]}
        nameOf={nameOf}
        onChange={setFilter}
      />
      {alerts.hasGap.value && (
        <p class="banner" role="status">
          The connection was lost for so long that the router has forgotten some alerts: this list may not be complete.
        </p>
      )}
      {history.kind === 'failed' && (
        <div class="banner">
          <p>Older alerts could not be loaded: {history.reason}.</p>
          <button type="button" onClick={() => void alerts.loadOlder()}>
            Try again
          </button>
        </div>
      )}
      {shown.length === 0 && history.kind !== 'loading' && (
        <p id="no-alerts" class="muted">
          {all.length === 0 ? 'None yet.' : 'None of them fits the filter.'}
        </p>
      )}
      <ol id="alerts" class="list">
        {shown.map((alert) => (
          <AlertItem
            key={alert.id}
            alert={alert}
            name={nameOf(alert.streamId)}
            credentials={watch.credentials}
            onShow={onShow}
          />
        ))}
      </ol>
      {activeParts(filter) > 0 && shown.length < all.length && (
        <p class="muted">{countWords(all.length - shown.length, 'other is', 'others are')} kept out by the filter.</p>
      )}
      {(history.kind === 'more' || history.kind === 'loading') && !isCut && (
        <button
          type="button"
          class="older"
          disabled={history.kind === 'loading'}
          onClick={() => void alerts.loadOlder()}
        >
          {history.kind === 'loading' ? 'Loading…' : 'Older alerts'}
        </button>
      )}
      {isCut && <p class="muted">Only the newest {MAX_ALERTS} are held here.</p>}
    </section>
  );
}
