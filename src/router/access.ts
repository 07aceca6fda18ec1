/** Who may watch: only the stream's owner, or every signed-in user. */
export type StreamAccess = 'owner' | 'authenticated';

/** The one place that decides whether `userId` may watch a stream of `ownerId`. */
export function mayWatch(access: StreamAccess, userId: string, ownerId: string): boolean {
  return access === 'authenticated' || userId === ownerId;
}
