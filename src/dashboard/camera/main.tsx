import { effect, signal } from '@preact/signals';
import { render } from 'preact';
import '../common/style.css';
import './camera.css';
import { Bar, type State } from '../common/bar.tsx';
import { connectionWords, isSignedOut } from '../common/connection-words.ts';
import { session, signOut } from '../common/session.ts';
import { SignIn } from '../common/sign-in.tsx';
import { Filming, type FilmingState } from './filming.ts';
import { SettingsForm } from './form.tsx';
import { Live } from './live.tsx';
import { loadSettings } from './settings.ts';
import { pageTrouble } from './words.ts';

const filming = new Filming();
const settings = signal(loadSettings());

effect(() => {
  const state = filming.state.value;
  if (state.kind !== 'on' || state.connection.name !== 'closed' || !isSignedOut(state.connection)) return;
  filming.stop();
  const ended = filming.state.value;
  const trouble = ended.kind === 'off' ? ended.trouble : undefined;
  signOut(trouble === undefined ? state.connection.reason : `${state.connection.reason}. ${trouble}`);
});

function Page() {
  const state = filming.state.value;
  const who = session.value;
  return (
    <>
      <Bar
        page="Camera"
        state={who.kind === 'signed-out' ? { mood: 'bad', words: 'Not signed in' } : stateWords(state)}
      >
        {who.kind === 'signed-in' && who.credentials.kind === 'token' && state.kind === 'off' && (
          <button type="button" onClick={() => signOut('You have signed out.')}>
            Sign out
          </button>
        )}
      </Bar>
      <main class="camera">
        <Content />
      </main>
    </>
  );
}

function Content() {
  const trouble = pageTrouble(isSecureContext, navigator.mediaDevices !== undefined, location.origin);
  const state = filming.state.value;
  const who = session.value;
  if (trouble !== undefined) {
    return (
      <p class="panel" role="alert">
        {trouble}
      </p>
    );
  }
  if (who.kind === 'signed-out') return <SignIn reason={who.reason} />;
  if (state.kind === 'on') return <Live filming={filming} state={state} name={settings.value.name || state.streamId} />;
  return (
    <>
      {state.kind === 'off' && state.trouble !== undefined && (
        <p class="panel trouble" role="alert">
          {state.trouble}
        </p>
      )}
      <SettingsForm
        settings={settings}
        isStarting={state.kind === 'starting'}
        onStart={() => void filming.start(settings.value, who.credentials)}
      />
    </>
  );
}

function stateWords(state: FilmingState): State {
  if (state.kind === 'off') return { mood: 'unknown', words: 'Off' };
  if (state.kind === 'starting') return { mood: 'unknown', words: 'Starting…' };
  if (state.connection.name === 'open' && filming.sight.value !== 'moving') {
    return { mood: 'bad', words: 'The camera gives no pictures' };
  }
  return connectionWords(state.connection);
}

const root = document.querySelector('#app');
if (root !== null) render(<Page />, root);
