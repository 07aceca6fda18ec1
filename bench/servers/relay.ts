/** Which of a bare server's two doors a path leads to, and for which stream: `/pub/<stream>` or `/sub/<stream>`. */
interface Door {
  isEncoder: boolean;
  stream: string;
}

export function doorOf(path: string): Door | undefined {
  const [, door, stream] = path.split('/');
  if ((door !== 'pub' && door !== 'sub') || stream === undefined) return undefined;
  return { isEncoder: door === 'pub', stream };
}

/** Who watches what. */
export class Rooms<Viewer> {
  readonly #rooms = new Map<string, Set<Viewer>>();

  of(stream: string): Set<Viewer> {
    const room = this.#rooms.get(stream) ?? new Set();
    this.#rooms.set(stream, room);
    return room;
  }
}

/** Tells the benchmark where this server listens; it ends with the benchmark. */
export function announce(port: number): void {
  process.stdout.write(`{"port":${port}}\n`);
  process.on('disconnect', () => process.exit(0));
}

/** The same for every server that is compared; the router is told the same and skips from half of it on, so loads stay far below both. */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
export const MAX_BACKPRESSURE_BYTES = 1024 * 1024;
