import { useAlerts } from 'watchout-router/react';

/** What was seen since the page is open, the newest first. Over a cut none is lost, and none comes twice. */
export function Alerts() {
  const { alerts, hasGap } = useAlerts({ limit: 30 });
  return (
    <section className="alerts" aria-label="Alerts">
      <h2>Alerts</h2>
      {hasGap && <p>Older alerts may be missing.</p>}
      {alerts.length === 0 && <p className="nothing">None so far.</p>}
      <ol aria-live="polite">
        {alerts.map(({ id, streamId, severity, message, timestamp }) => (
          <li key={id} className={severity}>
            <span className="severity">{severity}</span> {message}
            <small>
              {streamId}, {new Date(timestamp).toLocaleTimeString()}
            </small>
          </li>
        ))}
      </ol>
    </section>
  );
}
