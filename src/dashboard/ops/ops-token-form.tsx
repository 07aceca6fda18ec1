import { useRef } from 'preact/hooks';
import { forgetOpsToken, isOpsTokenWrong, keepOpsToken, opsToken } from './connection-watch.ts';

/** For those who run the router: with its `OPS_TOKEN` they see everybody's connections. */
export function OpsTokenForm() {
  const form = useRef<HTMLFormElement>(null);
  if (opsToken.value !== null) {
    return (
      <p class="ops-token">
        You see everybody’s, by <code>OPS_TOKEN</code>.{' '}
        <button type="button" onClick={forgetOpsToken}>
          Only mine
        </button>
      </p>
    );
  }
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const token = String(new FormData(form.current ?? undefined).get('token') ?? '').trim();
    if (token !== '') keepOpsToken(token);
  };
  return (
    <details class="ops-token" open={isOpsTokenWrong.value}>
      <summary>Do you run this router?</summary>
      <form ref={form} onSubmit={submit}>
        <label>
          OPS_TOKEN
          <input name="token" type="password" autocomplete="off" required />
        </label>
        {isOpsTokenWrong.value ? <p role="alert">That is not the OPS_TOKEN of this router.</p> : null}
        <button type="submit">See everybody’s connections</button>
      </form>
    </details>
  );
}
