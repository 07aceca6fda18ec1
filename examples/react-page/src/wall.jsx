import { useConnection, useStreams, useVideoStream } from 'watchout-router/react';

/** All live streams of the session's user, those included that begin later. */
export function Wall() {
  const streams = useStreams();
  const { name } = useConnection();
  return (
    <section className="wall" aria-label="Streams">
      {streams.map(({ streamId }) => (
        <Stream key={streamId} streamId={streamId} />
      ))}
      {streams.length === 0 && name === 'open' && <p className="nothing">No stream is live. Start an encoder.</p>}
    </section>
  );
}

function Stream({ streamId }) {
  // Pictures are drawn on the canvas without rendering anything here; `timestamp` comes once a second.
  const { canvasRef, status, timestamp, error } = useVideoStream(streamId, { maxFps: 15 });
  return (
    <figure className={status}>
      <canvas ref={canvasRef} width={640} height={480} role="img" aria-label={`Live picture of ${streamId}`} />
      <figcaption>
        <strong>{streamId}</strong>
        <span className="status">{error?.message ?? status}</span>
        {timestamp !== null && <time>{new Date(timestamp).toLocaleTimeString()}</time>}
      </figcaption>
    </figure>
  );
}
