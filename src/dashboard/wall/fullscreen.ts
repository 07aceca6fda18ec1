/**
 * The whole page rather than one tile: so the next stream takes its place there, and alerts are seen over it. What does not belong there the style sheet hides.
 */
export function toggleFullscreen(): void {
  if (document.fullscreenElement !== null) void leaveFullscreen();
  // Browsers refuse it now and then; the stream is as large as it can be then.
  else document.documentElement.requestFullscreen().catch(() => undefined);
}

/** Settles when the page is as it was before. */
export async function leaveFullscreen(): Promise<void> {
  if (document.fullscreenElement !== null) await document.exitFullscreen().catch(() => undefined);
}
