import type { Entry, Journal } from './journal.js';

/** Entries that tell of refused requests are this far apart: whoever may ask must not be able to fill the journal by it. */
const EVERY_MS = 60_000;

/** Tells the journal of requests that were refused: the first at once, those of the next minute in one entry with their number. */
export class RefusedRequests {
  private more = 0;
  private last: Entry | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly journal: Pick<Journal, 'event'>,
    private readonly everyMs = EVERY_MS,
  ) {}

  /** Counts one; `entry` says who was refused what. */
  count(entry: Omit<Entry, 'what' | 'counts'>): void {
    this.last = { ...entry, what: 'refused-request' };
    this.more += 1;
    if (this.timer !== undefined) return;
    this.tell();
    this.timer = setTimeout(() => this.minuteOver(), this.everyMs).unref();
  }

  /** What was counted and not told yet is told now. */
  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.tell();
  }

  private minuteOver(): void {
    this.timer = undefined;
    if (this.more === 0) return;
    this.tell();
    this.timer = setTimeout(() => this.minuteOver(), this.everyMs).unref();
  }

  private tell(): void {
    if (this.last === undefined || this.more === 0) return;
    this.journal.event({ ...this.last, counts: { refused: this.more } });
    this.more = 0;
  }
}
