/** How many events of the peer are under way, and how much of their credit can be given back. */
export class EventWindow {
  /** Those taken whose credit was not given back yet, and how many of them have ended. */
  #taken = 0;
  #ended = 0;

  constructor(private readonly maxEvents: number) {}

  get running(): number {
    return this.#taken - this.#ended;
  }

  /** Whether the peer has no credit left. */
  get isSpent(): boolean {
    return this.#taken >= this.maxEvents;
  }

  take(): void {
    this.#taken += 1;
  }

  end(): void {
    this.#ended += 1;
  }

  /** The credit that goes back now: a quarter of the window at a time, or at once where the peer has none left; else 0. */
  giveBack(): number {
    const isDue = this.#ended * 4 >= this.maxEvents || this.isSpent;
    if (!isDue) return 0;
    const credit = this.#ended;
    this.#taken -= credit;
    this.#ended = 0;
    return credit;
  }
}
