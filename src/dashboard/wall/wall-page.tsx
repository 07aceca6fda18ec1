import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Bar } from '../common/bar.tsx';
import { connectionWords } from '../common/connection-words.ts';
import { signOut } from '../common/session.ts';
import { open, openStream } from './address.ts';
import { AlertPanel } from './alert-panel.tsx';
import { leaveFullscreen } from './fullscreen.ts';
import { isPageShown, isWide } from './on-screen.ts';
import { Streams } from './streams.tsx';
import { Toasts } from './toasts.tsx';
import type { Watch } from './watch.ts';

type Tab = 'streams' | 'alerts';

export interface WallPageProps {
  watch: Watch;
  /** After an end that no retry would mend by itself. */
  onReconnect: () => void;
}

/** Streams, and alerts beside them; on a phone one of the two. */
export function WallPage({ watch, onReconnect }: WallPageProps) {
  const [tab, setTab] = useState<Tab>('streams');
  const { alerts, connection, credentials } = watch;
  const isListShown = isWide.value || tab === 'alerts';
  useEffect(() => {
    alerts.isListShown.value = isListShown;
  }, [alerts, isListShown]);
  useSignalEffect(() => {
    const count = alerts.unread.value;
    document.title = count > 0 && !isPageShown.value ? `(${count}) Watchout` : 'Watchout';
  });
  usePin(watch, openStream.value);
  const show = (streamId: string) => {
    setTab('streams');
    open(streamId);
  };
  const panel = useRef<HTMLElement>(null);
  const [listCalls, setListCalls] = useState(0);
  const showAll = async () => {
    await leaveFullscreen();
    setTab('alerts');
    setListCalls((before) => before + 1);
  };
  // Where it stands beside the wall already, somebody is led there all the same.
  useEffect(() => {
    if (listCalls > 0) panel.current?.focus();
  }, [listCalls]);
  const state = connection.value;
  return (
    <>
      <Bar page="Wall" state={connectionWords(state)}>
        {state.name === 'waiting' && (
          <button type="button" onClick={() => watch.retryNow()}>
            Try now
          </button>
        )}
        <button type="button" onClick={() => signOut(signedOutWords(credentials.kind))}>
          Sign out
        </button>
      </Bar>
      {state.name === 'closed' && (
        <div class="banner">
          <p>{state.reason}.</p>
          <button type="button" class="primary" onClick={onReconnect}>
            Connect again
          </button>
        </div>
      )}
      <main class="wall" data-tab={tab}>
        <Streams watch={watch} />
        <AlertPanel watch={watch} panel={panel} onShow={show} />
      </main>
      <nav class="tabs" aria-label="Parts of this page">
        <button type="button" aria-current={tab === 'streams' ? 'true' : undefined} onClick={() => setTab('streams')}>
          Streams
        </button>
        <button type="button" aria-current={tab === 'alerts' ? 'true' : undefined} onClick={() => setTab('alerts')}>
          Alerts
          <UnreadCount watch={watch} />
        </button>
      </nav>
      <Toasts alerts={alerts} nameOf={watch.nameOf} onShow={show} onShowAll={() => void showAll()} />
    </>
  );
}

/** What is open is on the wall, and no longer than it is open. */
function usePin(watch: Watch, streamId: string | undefined): void {
  useEffect(() => (streamId === undefined ? undefined : watch.pin(streamId)), [watch, streamId]);
}

function UnreadCount({ watch }: { watch: Watch }) {
  const count = watch.alerts.unread.value;
  return count === 0 ? null : (
    <span class="count">
      {count}
      <span class="unseen"> new</span>
    </span>
  );
}

function signedOutWords(kind: 'token' | 'cookie'): string {
  if (kind === 'token') return 'You have signed out.';
  return 'You have signed out here. The web app in this browser is still signed in.';
}
