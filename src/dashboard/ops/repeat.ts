/** Runs `action` again and again, the next time `pauseMs` after it has begun, or when it is done. It must not reject. Returns what ends it. */
export function repeat(pauseMs: number, action: (ended: AbortSignal) => Promise<void>): () => void {
  const ended = new AbortController();
  let timer: number | undefined;
  const run = async () => {
    const begunMs = performance.now();
    await action(ended.signal);
    if (!ended.signal.aborted) timer = window.setTimeout(run, Math.max(0, begunMs + pauseMs - performance.now()));
  };
  void run();
  return () => {
    ended.abort();
    window.clearTimeout(timer);
  };
}
