/** What to do where there is nothing to see. */
export function EmptyWall() {
  const address = new URL('.', location.href).href.replace(/\/$/, '');
  return (
    <div class="panel empty">
      <h2>No camera is live yet</h2>
      <p>
        <a class="button primary" href="./camera">
          Make this device a camera
        </a>
      </p>
      <p>Or play a folder of pictures from a terminal, in the router’s folder and with your session’s token:</p>
      {/* `--no`: elsewhere npx would look for a package of this name on the registry, and hand the token to whatever it finds. */}
      <pre>
        <code>WATCHOUT_TOKEN=… npx --no watchout-router camera ./pictures --router {address}</code>
      </pre>
      <p class="muted">It appears here by itself as soon as it is there.</p>
    </div>
  );
}
