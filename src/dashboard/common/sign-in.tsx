import { useRef } from 'preact/hooks';
import { signIn, signInByCookie } from './session.ts';

/** Asks for a token, and says why. */
export function SignIn({ reason }: { reason: string }) {
  const form = useRef<HTMLFormElement>(null);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (form.current === null) return;
    const fields = new FormData(form.current);
    const token = String(fields.get('token')).trim();
    if (token !== '') signIn(token, fields.has('keep'));
  };
  return (
    <form ref={form} class="panel sign-in" onSubmit={submit}>
      <h2>Sign in</h2>
      <p role="alert">{reason}</p>
      <label>
        Session token
        <input name="token" type="password" autocomplete="off" required />
      </label>
      <label class="check">
        <input name="keep" type="checkbox" /> Keep it on this device
      </label>
      <button type="submit" class="primary">
        Sign in
      </button>
      <p class="muted">
        Signed in to the web app in this browser? Then{' '}
        <button type="button" onClick={signInByCookie}>
          use that
        </button>
      </p>
    </form>
  );
}
