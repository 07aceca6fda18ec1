/** Calls `action` so often a second, and catches up when it was held up. Returns what ends it. */
export function steadily(perSecond: number, action: () => void): () => void {
  const startMs = performance.now();
  let done = 0;
  let timer: NodeJS.Timeout;
  const next = () => {
    const due = Math.floor(((performance.now() - startMs) * perSecond) / 1000) + 1;
    for (; done < due; done += 1) action();
    timer = setTimeout(next, startMs + (done * 1000) / perSecond - performance.now());
  };
  timer = setTimeout(next, 0);
  return () => clearTimeout(timer);
}
