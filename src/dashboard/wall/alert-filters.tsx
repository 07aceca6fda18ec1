import { type AlertFilter, activeParts, NO_FILTER, SPANS, type Span } from './alert-filter.ts';
import { SEVERITIES } from './severity.ts';

export interface AlertFiltersProps {
  filter: AlertFilter;
  streamIds: readonly string[];
  nameOf: (streamId: string) => string;
  onChange: (filter: AlertFilter) => void;
}

/** What the list is filtered by. */
export function AlertFilters({ filter, streamIds, nameOf, onChange }: AlertFiltersProps) {
  const parts = activeParts(filter);
  const toggle = (severity: (typeof SEVERITIES)[number]) => {
    const severities = new Set(filter.severities);
    if (!severities.delete(severity)) severities.add(severity);
    onChange({ ...filter, severities });
  };
  return (
    <details class="filters">
      <summary>Filter{parts > 0 && ` (${parts})`}</summary>
      <fieldset>
        <legend class="unseen">Severity</legend>
        {SEVERITIES.map((severity) => (
          <label key={severity} class="check">
            <input
              type="checkbox"
              name={severity}
              checked={filter.severities.has(severity)}
              onChange={() => toggle(severity)}
            />
            {severity}
          </label>
        ))}
      </fieldset>
      <label>
        <span>Stream</span>
        <select
          name="stream"
          value={filter.streamId}
          onChange={({ currentTarget }) => onChange({ ...filter, streamId: currentTarget.value })}
        >
          <option value="">all</option>
          {streamIds.map((streamId) => (
            <option key={streamId} value={streamId}>
              {nameOf(streamId)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>Text</span>
        <input
          type="search"
          name="text"
          value={filter.text}
          onInput={({ currentTarget }) => onChange({ ...filter, text: currentTarget.value })}
        />
      </label>
      <label>
        <span>Time</span>
        <select
          name="span"
          value={filter.span}
          onChange={({ currentTarget }) => onChange({ ...filter, span: currentTarget.value as Span })}
        >
          {Object.keys(SPANS).map((span) => (
            <option key={span}>{span}</option>
          ))}
        </select>
      </label>
      {parts > 0 && (
        <button type="button" onClick={() => onChange(NO_FILTER)}>
          Show all
        </button>
      )}
    </details>
  );
}
