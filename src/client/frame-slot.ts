/** Room for one thing that waits: a newer one takes its place. */
export class FrameSlot<Item> {
  #item: Item | undefined;

  get isEmpty(): boolean {
    return this.#item === undefined;
  }

  /** True when an older one had to go. */
  put(item: Item): boolean {
    const hadOne = this.#item !== undefined;
    this.#item = item;
    return hadOne;
  }

  take(): Item | undefined {
    const item = this.#item;
    this.#item = undefined;
    return item;
  }
}
