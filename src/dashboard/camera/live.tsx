import { useEffect, useRef } from 'preact/hooks';
import { stayAwake } from './awake.ts';
import type { Filming, FilmingState } from './filming.ts';
import { alarmWords, paceWords, sightTrouble } from './words.ts';

export interface LiveProps {
  filming: Filming;
  state: Extract<FilmingState, { kind: 'on' }>;
  name: string;
}

/** The camera while it films. */
export function Live({ filming, state: { streamId, picture, connection }, name }: LiveProps) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current !== null) video.current.srcObject = picture;
  }, [picture]);
  useEffect(() => {
    // Phones pause the videos of pages that are put behind others.
    const playOn = () => {
      if (document.visibilityState === 'visible') video.current?.play().catch(() => undefined);
    };
    document.addEventListener('visibilitychange', playOn);
    return () => document.removeEventListener('visibilitychange', playOn);
  }, []);
  useEffect(stayAwake, []);
  const blindness = sightTrouble(filming.sight.value);
  return (
    <section class="live" aria-label="What this device films">
      <div class="picture">
        <video ref={video} autoplay muted playsInline aria-label="What the camera sees" />
        {connection.name === 'open' && blindness === undefined && <span class="on-air">Live</span>}
      </div>
      <div class="panel">
        {blindness === undefined ? (
          <Numbers filming={filming} isSending={connection.name === 'open'} />
        ) : (
          <p class="blind" role="alert">
            {blindness}
          </p>
        )}
        <p class="buttons">
          <button type="button" class="primary" onClick={() => filming.stop()}>
            Stop
          </button>
          <button type="button" class="alarm" onClick={() => filming.raiseAlarm(name)}>
            Raise an alarm
          </button>
          {/* biome-ignore lint/security/noBlankTarget: it is a page of ours, and only with an opener it gets a copy of what this tab keeps, by which its user is signed in there, too */}
          <a href={`./?stream=${encodeURIComponent(streamId)}`} target="_blank" rel="opener">
            See it on the wall
          </a>
        </p>
        <p class="alarm-state" role="status">
          {alarmWords(filming.alarm.state.value)}
        </p>
        <p class="muted">
          The camera films while this page is in front: phones stop the cameras of pages behind others.
        </p>
      </div>
      <Alerts filming={filming} />
    </section>
  );
}

function Numbers({ filming, isSending }: { filming: Filming; isSending: boolean }) {
  const filmed = filming.filmed.value;
  const refusal = filming.refusal.value;
  if (refusal !== undefined) return <p role="alert">The router says: {refusal}</p>;
  if (filmed === undefined || !isSending) return <p class="muted">Nothing is sent.</p>;
  return (
    <>
      <p class="numbers">
        <strong id="sent-fps">{filmed.sentFps}</strong> frames a second sent, quality {Math.round(filmed.quality * 100)}{' '}
        %{filmed.replacedFps > 0 && `, ${filmed.replacedFps} left out`}
      </p>
      <p id="pace">{paceWords(filmed)}</p>
    </>
  );
}

function Alerts({ filming }: { filming: Filming }) {
  const alerts = filming.alerts.value;
  return (
    <section class="panel" aria-label="Alerts">
      <h2>Alerts</h2>
      {alerts.length === 0 && <p class="muted">Nothing was seen yet.</p>}
      <ol class="alerts" aria-live="polite">
        {alerts.map(({ id, severity, message, timestamp }) => (
          <li key={id} data-severity={severity}>
            {message}
            <small>
              {severity} · {new Date(timestamp).toLocaleTimeString()}
            </small>
          </li>
        ))}
      </ol>
    </section>
  );
}
