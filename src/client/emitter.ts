/** Takes what an application's listener threw: it is the application's to see, and must not end the connection. */
export function report(error: unknown): void {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  // biome-ignore lint/suspicious/noConsole: Node has no reportError, and to throw it later would end the process
  else console.error(error);
}

/** Calls a listener of the application. What it throws is reported. */
export function tell<Event>(listener: ((event: Event) => unknown) | undefined, event: Event): void {
  try {
    listener?.(event);
  } catch (error) {
    report(error);
  }
}

/** Who listens to what. `Events`: the name of each event, and what comes with it. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Answers what ends it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A function of its own: the same listener twice is two, and each ends by itself.
    const own = (event: Events[Name]) => listener(event);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const listeners = this.#listeners.get(name) as Set<(event: Events[Name]) => void> | undefined;
    for (const listener of [...(listeners ?? [])]) tell(listener, event);
  }
}
