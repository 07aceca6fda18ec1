import type { Stream } from './stream.ts';
import type { Viewer } from './viewer.ts';
import type { Wish } from './viewing.ts';

/** Who watches all streams of their user, and how; the ML service those of all users. */
export class AllWatchers {
  readonly #byUser = new Map<string, Map<Viewer, Wish>>();
  readonly #ofEverybody = new Map<Viewer, Wish>();

  /** Replaces what the viewer asked for before. */
  add(viewer: Viewer, wish: Wish): void {
    if (viewer.isService) {
      this.#ofEverybody.set(viewer, wish);
      return;
    }
    const { userId } = viewer.peer.principal;
    const watchers = this.#byUser.get(userId) ?? new Map<Viewer, Wish>();
    watchers.set(viewer, wish);
    this.#byUser.set(userId, watchers);
  }

  /** False when it was not there. */
  remove(viewer: Viewer): boolean {
    if (viewer.isService) return this.#ofEverybody.delete(viewer);
    const { userId } = viewer.peer.principal;
    const watchers = this.#byUser.get(userId);
    if (watchers === undefined || !watchers.delete(viewer)) return false;
    if (watchers.size === 0) this.#byUser.delete(userId);
    return true;
  }

  wishOf(viewer: Viewer): Wish | undefined {
    return viewer.isService
      ? this.#ofEverybody.get(viewer)
      : this.#byUser.get(viewer.peer.principal.userId)?.get(viewer);
  }

  /** Whose `*` stands for this user's streams, too. */
  of(userId: string): readonly [Viewer, Wish][] {
    return [...(this.#byUser.get(userId) ?? []), ...this.#ofEverybody];
  }
}

/** Whether it is one of those that `*` stands for. */
export function isAmongAll({ isService, peer }: Viewer, { ownerId }: Stream): boolean {
  return isService || ownerId === peer.principal.userId;
}
