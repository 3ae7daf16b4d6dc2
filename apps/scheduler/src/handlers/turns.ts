import { Refusal } from '@skerry/contracts';

/** Milliseconds of one turn, and of all: an answer that takes longer is not waited for. */
const TURN_MS = 20;
const ALL_MS = 9_000;

/** Takes long work in turns with everything else that this process has to do. */
export class Turns {
  private readonly start = performance.now();
  private end = this.start + TURN_MS;

  /** Resolves at once while the turn lasts, else in the next one. Throws a `Refusal` when it takes too long in all. */
  async next(): Promise<void> {
    const now = performance.now();
    if (now <= this.end) return;
    if (now - this.start > ALL_MS) {
      throw new Refusal('too-large', `this takes more than ${ALL_MS / 1_000} s to work out`, {
        hint: 'ask about less, or when the cloud is quieter',
      });
    }
    await new Promise(setImmediate);
    this.end = performance.now() + TURN_MS;
  }
}
