import { clientFrame } from './client-frame.ts';
import type { Dialect, Said } from './dialect.ts';
import { ConnectFailure, LoadSocket, type SocketOwner } from './socket.ts';

/** How long the server may take to answer the first message. Session look-ups of thousands of connections wait for each other. */
const READY_TIMEOUT_MS = 30_000;

/** What an encoder and a viewer do differently with what they hear. */
export interface PeerHandler {
  /** The beginning of a message. True when it was a frame, and needs no further understanding. */
  frame?(head: Buffer): boolean;
  /** The message whose head was a frame has arrived whole. */
  frameEnded?(): void;
  said(said: Said): void;
  /** Once, after the connection was ready. `code` 1006: without a close frame. */
  closed(code: number): void;
}

/** One connection of the load, from the upgrade to the close. */
export class LoadPeer implements SocketOwner {
  readonly dialect: Dialect;
  readonly #handler: PeerHandler;
  #socket: LoadSocket | undefined;
  #inFrame = false;
  #isReady = false;
  #isGone = false;
  #closeCode = 1006;
  #settle: ((failure: string | undefined) => void) | undefined;

  private constructor(dialect: Dialect, handler: PeerHandler) {
    this.dialect = dialect;
    this.#handler = handler;
  }

  /**
   * Connects and says hello. Resolves when the server has said yes.
   * @throws ConnectFailure with an error code of the router, a close code, `timeout`, or what the network said.
   */
  static async connect(url: URL, dialect: Dialect, handler: PeerHandler): Promise<LoadPeer> {
    const peer = new LoadPeer(dialect, handler);
    const answered = new Promise<string | undefined>((resolve) => {
      peer.#settle = resolve;
    });
    await LoadSocket.open(url, dialect.path, dialect.subprotocol, peer);
    if (dialect.hello !== undefined) {
      peer.socket.send(dialect.hello);
      const timer = setTimeout(() => peer.#settle?.('timeout'), READY_TIMEOUT_MS);
      const failure = await answered;
      clearTimeout(timer);
      if (failure !== undefined) {
        peer.socket.destroy();
        throw new ConnectFailure(failure);
      }
    }
    peer.#settle = undefined;
    peer.#isReady = true;
    return peer;
  }

  get socket(): LoadSocket {
    if (this.#socket === undefined) throw new Error('not connected yet');
    return this.#socket;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  opened(socket: LoadSocket): void {
    this.#socket = socket;
  }

  head(head: Buffer, isText: boolean): void {
    this.#inFrame = this.#handler.frame?.(head) ?? false;
    if (this.#inFrame) return;
    const said = this.dialect.understand(head, isText);
    if (said.kind === 'call') this.#socket?.send(said.answer);
    else if (said.kind === 'ready') this.#settle?.(undefined);
    else if (said.kind === 'error' && !this.#isReady) this.#settle?.(said.code);
    else this.#handler.said(said);
  }

  end(): void {
    if (this.#inFrame) this.#handler.frameEnded?.();
  }

  ping(payload: Buffer): void {
    this.#socket?.pong(payload);
  }

  close(code: number): void {
    this.#closeCode = code;
    const answer = Buffer.alloc(2);
    answer.writeUInt16BE(code === 1005 ? 1000 : code);
    this.#socket?.send(clientFrame('close', answer));
  }

  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#settle?.(`closed with ${this.#closeCode}`);
    if (this.#isReady) this.#handler.closed(this.#closeCode);
  }
}
