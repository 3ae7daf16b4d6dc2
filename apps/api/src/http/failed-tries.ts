/** Failed logins that one address may make at once, and how many it regains a second. */
const BURST = 10;
const PER_SECOND = 1;
/** Addresses remembered; beyond it the oldest is forgotten. */
const MAX_ADDRESSES = 10_000;

interface Budget {
  left: number;
  at: number;
}

/** Slows down guessing: a budget of failed tries for each address. Only failures count, so a valid token is never locked out. */
export class FailedTries {
  private readonly budgets = new Map<string, Budget>();

  /** Counts a failure at `now` (ms); false when the address has used up its tries. */
  spend(address: string, now: number): boolean {
    const before = this.budgets.get(address) ?? { left: BURST, at: now };
    const left = Math.min(BURST, before.left + ((now - before.at) / 1_000) * PER_SECOND);
    this.budgets.delete(address);
    this.budgets.set(address, { left: Math.max(0, left - 1), at: now });
    const oldest = this.budgets.keys().next();
    if (this.budgets.size > MAX_ADDRESSES && oldest.done !== true) this.budgets.delete(oldest.value);
    return left >= 1;
  }
}
