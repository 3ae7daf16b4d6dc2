import { randomBytes } from 'node:crypto';
import type { Target } from './target.js';
import { BackupTrouble } from './trouble.js';

/** What is done at a store by one who must not meet the other: chunks that a new backup counts on are not to be removed. */
export type Turn = 'making' | 'pruning';

const FOLDER = 'turns/';
const NAME = /^turns\/(making|pruning)-(\d{13})-[0-9a-f]{12}$/;
/** Who was killed says for so long that he is busy; a backup takes a few minutes, and is said anew while it takes longer. */
const COUNTS_MS = 15 * 60_000;
const RENEW_MS = 5 * 60_000;
const OTHER: Readonly<Record<Turn, Turn>> = { making: 'pruning', pruning: 'making' };
const SAYS: Readonly<Record<Turn, string>> = {
  making: 'a backup is being made there',
  pruning: 'old backups are being removed there',
};

/**
 * Does work while nobody does the other thing at the same store. Each first says that it begins and then looks for the other, so
 * that of two at once at least one sees it and gives way. Several may make backups at once. Clocks of those who use one store may
 * be minutes apart, no more.
 */
export async function inTurn<T>(
  target: Target,
  turn: Turn,
  work: () => Promise<T>,
  now: () => number = Date.now,
): Promise<T> {
  const own = new OwnTurn(target, turn, now);
  await own.say();
  const timer = setInterval(() => void own.say().catch(() => undefined), RENEW_MS).unref();
  try {
    await refuseBeside(target, OTHER[turn], now());
    return await work();
  } finally {
    clearInterval(timer);
    await own.end();
  }
}

/** One who says that he is busy: a blob whose name says what with and since when. */
class OwnTurn {
  private name: string | undefined;
  private readonly mark = randomBytes(6).toString('hex');

  constructor(
    private readonly target: Target,
    private readonly turn: Turn,
    private readonly now: () => number,
  ) {}

  async say(): Promise<void> {
    const before = this.name;
    const next = `${FOLDER}${this.turn}-${String(this.now()).padStart(13, '0')}-${this.mark}`;
    await this.target.put(next, new Uint8Array([10]));
    this.name = next;
    if (before !== undefined && before !== next) await forgotten(this.target, before);
  }

  async end(): Promise<void> {
    if (this.name !== undefined) await forgotten(this.target, this.name);
  }
}

async function refuseBeside(target: Target, other: Turn, nowMs: number): Promise<void> {
  for (const name of await target.list(FOLDER)) {
    const [, turn, at] = NAME.exec(name) ?? [];
    const leftMs = Number(at) + COUNTS_MS - nowMs;
    if (turn !== other) continue;
    if (leftMs > 0)
      throw new BackupTrouble(
        `${target.place}: ${SAYS[other]}`,
        `try again when that has ended; if it was broken off, in ${Math.ceil(leftMs / 60_000)} min`,
      );
    await forgotten(target, name);
  }
}

/** Who may only add to a store leaves it there: it counts for no longer. */
async function forgotten(target: Target, name: string): Promise<void> {
  await target.remove(name).catch(() => undefined);
}
