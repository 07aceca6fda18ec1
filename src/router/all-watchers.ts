import type { Viewer } from './viewer.ts';
import type { Wish } from './viewing.ts';

/** Who watches all streams of their user, and how. */
export class AllWatchers {
  readonly #byUser = new Map<string, Map<Viewer, Wish>>();

  /** Replaces what the viewer asked for before. */
  add(viewer: Viewer, wish: Wish): void {
    const { userId } = viewer.peer.principal;
    const watchers = this.#byUser.get(userId) ?? new Map<Viewer, Wish>();
    watchers.set(viewer, wish);
    this.#byUser.set(userId, watchers);
  }

  /** False when it was not there. */
  remove(viewer: Viewer): boolean {
    const { userId } = viewer.peer.principal;
    const watchers = this.#byUser.get(userId);
    if (watchers === undefined || !watchers.delete(viewer)) return false;
    if (watchers.size === 0) this.#byUser.delete(userId);
    return true;
  }

  wishOf(viewer: Viewer): Wish | undefined {
    return this.#byUser.get(viewer.peer.principal.userId)?.get(viewer);
  }

  of(userId: string): Iterable<[Viewer, Wish]> {
    return this.#byUser.get(userId) ?? [];
  }
}
