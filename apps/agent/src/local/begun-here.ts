import { reason, type Log } from '../log.js';
import type { ChangesBook } from './changes-book.js';

const LOOK_MS = 1_000;
/** For so long after the hub has accepted it a placement here may be on its way, and takes its place without a restart. */
const PLACED_WITHIN_MS = 5_000;
/** The hub is asked so often about what was begun here, until it has placed it. */
const ASK_EVERY_MS = 15_000;

export interface BegunHereOptions {
  book: ChangesBook;
  /** Whether this agent speaks for its site. */
  acting: () => boolean;
  /** Tells the hub what is held here, and takes what it wants of that. */
  compare: () => void;
  /** Default 5 s. */
  placedWithinMs?: number;
  log: Log;
}

/**
 * What was begun here and the hub has accepted is a workload of the whole cloud: told to the hub as held here, so that it goes when
 * the hub has placed it elsewhere, or wants none of it any more.
 */
export class BegunHere {
  private readonly timer: NodeJS.Timeout;
  private nextAt = 0;
  private looking = false;

  constructor(private readonly options: BegunHereOptions) {
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    if (this.looking || !this.options.acting()) return;
    this.looking = true;
    try {
      await this.tell();
    } catch (error) {
      this.options.log.debug('what was begun here was not noted as known', { reason: reason(error) });
    } finally {
      this.looking = false;
    }
  }

  private async tell(): Promise<void> {
    const { book, compare } = this.options;
    const begun = book.begun(Date.now() - (this.options.placedWithinMs ?? PLACED_WITHIN_MS));
    const fresh = begun.filter(({ change }) => change.known !== true);
    for (const { key } of fresh) await book.mark(key, { known: true });
    if (begun.length === 0 || (fresh.length === 0 && performance.now() < this.nextAt)) return;
    this.nextAt = performance.now() + ASK_EVERY_MS;
    compare();
  }
}
