/** What a browser keeps for a page. */
type Place = 'localStorage' | 'sessionStorage';

/** Texts that outlive the page, by name. Where the browser keeps nothing for it, or has no room, they live as long as the page does. */
class KeptTexts {
  readonly #place: Place;
  readonly #unkept = new Map<string, string>();

  constructor(place: Place) {
    this.#place = place;
  }

  get(name: string): string | null {
    const unkept = this.#unkept.get(name);
    if (unkept !== undefined) return unkept;
    try {
      return window[this.#place].getItem(name);
    } catch {
      return null;
    }
  }

  set(name: string, text: string): void {
    try {
      window[this.#place].setItem(name, text);
      this.#unkept.delete(name);
    } catch {
      this.#unkept.set(name, text);
    }
  }

  forget(name: string): void {
    this.#unkept.delete(name);
    try {
      window[this.#place].removeItem(name);
    } catch {
      // There was nothing.
    }
  }
}

/** As long as nobody clears it. */
export const onDevice = new KeptTexts('localStorage');
/** As long as this tab is open. */
export const inTab = new KeptTexts('sessionStorage');
