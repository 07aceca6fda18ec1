/** Keeps the screen on while it films: a phone whose screen goes off films nothing. Answers what ends it. Where the browser cannot, nothing happens. */
export function stayAwake(): () => void {
  let lock: WakeLockSentinel | undefined;
  let isOver = false;
  const ask = async () => {
    if (isOver || document.visibilityState !== 'visible') return;
    try {
      lock = await navigator.wakeLock?.request('screen');
    } catch {
      // A battery that is nearly empty, say. It films all the same, as long as somebody touches the screen.
    }
    if (isOver) void lock?.release();
  };
  // It is taken away whenever the page is hidden.
  document.addEventListener('visibilitychange', ask);
  void ask();
  return () => {
    isOver = true;
    document.removeEventListener('visibilitychange', ask);
    void lock?.release();
  };
}
