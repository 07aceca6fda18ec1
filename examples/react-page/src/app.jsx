import { useState } from 'react';
import { WatchoutProvider } from 'watchout-router/react';
import { Alerts } from './alerts.jsx';
import { Connection } from './connection.jsx';
import { forgetSession, keepSession, readSession } from './session.js';
import { SignIn } from './sign-in.jsx';
import { Wall } from './wall.jsx';

export function App() {
  const [session, setSession] = useState(readSession);
  const signIn = (entered) => {
    keepSession(entered);
    setSession(entered);
  };
  const signOut = () => {
    forgetSession();
    setSession(null);
  };
  if (session === null) return <SignIn onSignIn={signIn} />;
  // Everything below shares one connection.
  return (
    <WatchoutProvider url={session.url} token={session.token}>
      <header>
        <h1>Live</h1>
        <Connection />
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      </header>
      <main>
        <Wall />
        <Alerts />
      </main>
    </WatchoutProvider>
  );
}
