export interface ConnectionMaxima {
  total: number;
  perAddress: number;
  /** Of one address, without any credentials yet. */
  pendingPerAddress: number;
  perUser: number;
}

/** Which of them is reached. */
export type ReachedLimit = keyof ConnectionMaxima;

/** How many connections there are, in all, of each address and of each user. */
export class ConnectionLimits {
  readonly maxima: ConnectionMaxima;
  #total = 0;
  readonly #ofAddress = new Tally();
  readonly #pendingOfAddress = new Tally();
  readonly #ofUser = new Tally();

  constructor(maxima: ConnectionMaxima) {
    this.maxima = maxima;
  }

  /** Counts a connection in, unless a limit is reached: then it is that. */
  enter(address: string, isPending: boolean): ReachedLimit | undefined {
    if (this.#total >= this.maxima.total) return 'total';
    if (this.#ofAddress.of(address) >= this.maxima.perAddress) return 'perAddress';
    if (isPending && this.#pendingOfAddress.of(address) >= this.maxima.pendingPerAddress) return 'pendingPerAddress';
    this.#total += 1;
    this.#ofAddress.add(address);
    if (isPending) this.#pendingOfAddress.add(address);
    return undefined;
  }

  /** It has shown credentials. */
  settle(address: string): void {
    this.#pendingOfAddress.remove(address);
  }

  /** Its user is known: counts it among theirs, unless they have too many. */
  enterUser(userId: string): ReachedLimit | undefined {
    if (this.#ofUser.of(userId) >= this.maxima.perUser) return 'perUser';
    this.#ofUser.add(userId);
    return undefined;
  }

  leaveUser(userId: string): void {
    this.#ofUser.remove(userId);
  }

  leave(address: string): void {
    this.#total -= 1;
    this.#ofAddress.remove(address);
  }
}

/** How many of each: as large as the number of different ones that are there now. */
class Tally {
  readonly #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  remove(key: string): void {
    const left = this.of(key) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
