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
      <p>Or play a folder of pictures from a terminal:</p>
      <pre>
        <code>npx watchout-router camera ./pictures --router {address} --token …</code>
      </pre>
      <p class="muted">It appears here by itself as soon as it is there.</p>
    </div>
  );
}
