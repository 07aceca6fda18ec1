import { useState } from 'react';
import { isAddress } from './session.js';

export function SignIn({ onSignIn }) {
  const [fault, setFault] = useState('');
  const submit = (event) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const [url, token] = [fields.get('url').trim(), fields.get('token').trim()];
    if (isAddress(url)) onSignIn({ url, token });
    else setFault('The address must begin with http:// or https://');
  };
  return (
    <form className="sign-in" onSubmit={submit}>
      <h1>Watch live streams</h1>
      <label>
        Router
        <input name="url" required defaultValue="http://127.0.0.1:3000" inputMode="url" spellCheck={false} />
      </label>
      <label>
        Token of your session
        <input name="token" type="password" required autoComplete="off" />
      </label>
      {fault && <p role="alert">{fault}</p>}
      <button type="submit">Watch</button>
    </form>
  );
}
