import type { Clock, Log, SessionHolder, SessionWatch } from '../router/ports.ts';
import type { SessionRows } from './session-rows.ts';

export interface LiveSessionsParts {
  rows: SessionRows;
  clock: Clock;
  log: Log;
  /** These sessions have ended: whoever remembers them as good forgets them. */
  onEnded: (sessionIds: ReadonlySet<string>) => void;
}

/** The sessions of everybody who is connected, looked after with one query for all of them. */
export class LiveSessions implements SessionWatch {
  readonly #parts: LiveSessionsParts;
  readonly #holders = new Map<string, Set<SessionHolder>>();
  #isChecking = false;
  /** Sessions found ended since the start. */
  ended = 0;

  constructor(parts: LiveSessionsParts) {
    this.#parts = parts;
  }

  add(sessionId: string, holder: SessionHolder): void {
    const holders = this.#holders.get(sessionId);
    if (holders === undefined) this.#holders.set(sessionId, new Set([holder]));
    else holders.add(holder);
  }

  remove(sessionId: string, holder: SessionHolder): void {
    const holders = this.#holders.get(sessionId);
    holders?.delete(holder);
    if (holders?.size === 0) this.#holders.delete(sessionId);
  }

  /**
   * Asks the database which of them still stand, and ends the others. A database that does not answer ends nobody. Never rejects; while a check
   * is under way another one does nothing.
   */
  async recheck(): Promise<void> {
    if (this.#isChecking || this.#holders.size === 0) return;
    this.#isChecking = true;
    const asked = [...this.#holders.keys()];
    try {
      const expiries = await this.#parts.rows.expiriesOf(asked);
      const nowMs = this.#parts.clock.epochMs();
      this.#end(new Set(asked.filter((id) => (expiries.get(id) ?? 0) <= nowMs)));
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.#parts.log('warn', { sessions: asked.length, cause }, 'sessions cannot be checked again; nobody is closed');
    } finally {
      this.#isChecking = false;
    }
  }

  #end(sessionIds: ReadonlySet<string>): void {
    if (sessionIds.size === 0) return;
    this.ended += sessionIds.size;
    this.#parts.onEnded(sessionIds);
    const holders = [...sessionIds].flatMap((id) => [...(this.#holders.get(id) ?? [])]);
    this.#parts.log('info', { sessions: sessionIds.size, connections: holders.length }, 'sessions ended');
    for (const holder of holders) holder.sessionEnded();
  }
}
