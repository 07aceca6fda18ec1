/** What the SDK needs of a WebSocket: that of browsers, of Node 22, of `ws` and of `undici` all have it. Each has its own classes of events. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  /** Bytes that were sent here and that the operating system has not taken yet. */
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketClass = new (url: string) => WebSocketLike;

/** `readyState` of a socket that takes messages. */
export const OPEN = 1;

/** What Node has, and a page has not. */
interface NodeGlobals {
  process?: {
    getBuiltinModule?: (name: 'node:module') => { createRequire(from: string): (name: string) => unknown };
  };
}

/**
 * The one that was given, or the platform's. Node 20 has none: there the package `ws` is taken if it is installed.
 * @throws Error that says what to do.
 */
export function findWebSocket(given: WebSocketClass | undefined): WebSocketClass {
  const found = given ?? (globalThis.WebSocket as WebSocketClass | undefined) ?? installedInNode();
  if (found !== undefined) return found;
  throw new Error('This platform has no WebSocket: give one in the option `WebSocket`, or install the package `ws`');
}

/** Not by `import`: bundlers would look for the package, and pages must not get it. */
function installedInNode(): WebSocketClass | undefined {
  const nodeModule = (globalThis as NodeGlobals).process?.getBuiltinModule?.('node:module');
  if (nodeModule === undefined) return undefined;
  try {
    return (nodeModule.createRequire(import.meta.url)('ws') as { WebSocket: WebSocketClass }).WebSocket;
  } catch {
    return undefined;
  }
}
