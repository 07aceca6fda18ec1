import { useState } from 'preact/hooks';
import type { Credentials } from '../common/session.ts';
import type { LoggedAlert } from './alert-log.ts';
import { Evidence } from './evidence.tsx';
import { metadataRows } from './metadata.ts';
import { sinceCaptureWords, timeWords } from './words.ts';

export interface AlertItemProps {
  alert: LoggedAlert;
  name: string;
  credentials: Credentials;
  onShow: (streamId: string) => void;
}

/** One alert of the list. Opened, it shows its picture and all that is known. */
export function AlertItem({ alert, name, credentials, onShow }: AlertItemProps) {
  const [isOpen, setIsOpen] = useState(false);
  const { id, severity, message, streamId, timestamp } = alert;
  return (
    <li class="alert" data-severity={severity} data-alert={id}>
      <button type="button" class="plain head" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        <span class="severity">{severity}</span>
        <time dateTime={isoTime(timestamp)} class="muted numbers">
          {timeWords(timestamp, Date.now())}
        </time>
        <span class="message">{message}</span>
      </button>
      <button type="button" class="plain link" onClick={() => onShow(streamId)} title="Open this stream">
        {name} <span aria-hidden="true">›</span>
      </button>
      {isOpen && <Details alert={alert} credentials={credentials} />}
    </li>
  );
}

function Details({ alert, credentials }: Pick<AlertItemProps, 'alert' | 'credentials'>) {
  const rows = metadataRows(alert.metadata);
  const sinceCapture = alert.frame === undefined ? undefined : sinceCaptureWords(alert.frame.sinceCaptureMs);
  return (
    <div class="details">
      <Evidence alert={alert} credentials={credentials} />
      {sinceCapture !== undefined && <p>{sinceCapture}.</p>}
      {rows.length > 0 && (
        <dl>
          {rows.map((row) => (
            <div key={row.name}>
              <dt>{row.name}</dt>
              <dd>{row.value}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

function isoTime(ms: number): string | undefined {
  const when = new Date(ms);
  return Number.isNaN(when.getTime()) ? undefined : when.toISOString();
}
