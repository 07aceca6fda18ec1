import { useEffect, useState } from 'preact/hooks';
import { Bar } from '../common/bar.tsx';
import { isSignedOut } from '../common/connection-words.ts';
import { type Credentials, session, signOut } from '../common/session.ts';
import { SignIn } from '../common/sign-in.tsx';
import { WallPage } from './wall-page.tsx';
import { Watch } from './watch.ts';

/** The wall of who is signed in, and the form of who is not. */
export function App() {
  const { value } = session;
  if (value.kind === 'signed-in') return <SignedIn credentials={value.credentials} />;
  return (
    <>
      <Bar page="Wall" state={{ mood: 'bad', words: 'Not signed in' }} />
      <main>
        <SignIn reason={value.reason} />
      </main>
    </>
  );
}

function SignedIn({ credentials }: { credentials: Credentials }) {
  const [attempt, setAttempt] = useState(1);
  const [watch, setWatch] = useState<{ watch: Watch; attempt: number } | undefined>(undefined);
  useEffect(() => {
    const started = new Watch(credentials);
    const stopListening = started.connection.subscribe((state) => {
      if (isSignedOut(state) && state.name === 'closed') signOut(reasonOf(started, state.reason));
    });
    setWatch({ watch: started, attempt });
    return () => {
      stopListening();
      started.close();
    };
  }, [credentials, attempt]);
  if (watch === undefined) return <Bar page="Wall" state={{ mood: 'unknown', words: 'Connecting…' }} />;
  return <WallPage key={watch.attempt} watch={watch.watch} onReconnect={() => setAttempt((before) => before + 1)} />;
}

/** Why somebody has to sign in, in words that say what happened. */
function reasonOf({ hasBeenOpen, credentials }: Watch, reason: string): string {
  if (hasBeenOpen)
    return 'Your session has ended: you signed out elsewhere, or it has expired. Sign in again to go on.';
  return credentials.kind === 'cookie' ? 'Sign in to see your cameras.' : reason;
}
