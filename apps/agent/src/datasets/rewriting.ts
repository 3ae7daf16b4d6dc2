import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CopyLog } from './copy-log.js';
import type { Successor } from './successor.js';

/** The file is written anew when it is so much larger than what is in it. */
const SLACK_BYTES = 4 * 1024 * 1024;
/** Before it is tried again. */
const PAUSE_MS = 1_000;
const MOST_PAUSE_MS = 60_000;

/** What is written. */
export interface Rewritten {
  /** All of it, found while others go on; of now is what is looked at before this returns. */
  lines: () => Iterable<unknown>;
  /** What the file ends with, at the moment when it is put in place. */
  last: () => readonly unknown[];
  /** About so many bytes. */
  needed: () => number;
  /** It has all: `tend` is called soon. */
  filled: () => void;
  failed: (error: unknown) => void;
}

/**
 * Writes a log anew beside who adds to it, when it says what is not true any more or is mostly old. Who adds is held up only while the
 * new file takes the place of the old one.
 */
export class Rewriting {
  /** The file says what is not true any more. */
  isDue = false;
  private running: Promise<void> | undefined;
  private isFilled = false;
  /** After a failure. */
  private notBefore = Number.NEGATIVE_INFINITY;
  private pauseMs = PAUSE_MS;
  private isGivenUp = false;
  private successor: Successor | undefined;

  constructor(
    private readonly log: CopyLog,
    private readonly what: Rewritten,
  ) {}

  /** Puts in place what is filled, and begins anew when it is time and `mayBegin`. Nothing is being written meanwhile. */
  async tend(mayBegin: boolean): Promise<void> {
    if (this.isFilled) await this.place();
    if (!mayBegin || this.isGivenUp || this.running !== undefined) return;
    if (!this.isDue && this.log.bytes <= 2 * this.what.needed() + SLACK_BYTES) return;
    if (performance.now() < this.notBefore) return;
    if (!(await this.hasRoom())) return this.waitLonger();
    if (this.isGivenUp) return;
    this.isDue = false;
    this.running = this.fill(this.what.lines());
  }

  /** Resolves when what was begun is filled, or has failed. */
  async settled(): Promise<void> {
    await this.running;
  }

  /** Leaves the old file as it is. */
  async giveUp(): Promise<void> {
    this.isGivenUp = true;
    this.successor?.stop();
    await this.running;
    this.isFilled = false;
    await this.log.giveUp();
  }

  private async place(): Promise<void> {
    this.isFilled = false;
    try {
      await this.log.succeed(this.what.last());
      this.pauseMs = PAUSE_MS;
    } catch (error) {
      this.hasFailed(error);
    }
  }

  private async fill(lines: Iterable<unknown>): Promise<void> {
    this.successor = this.log.begin();
    try {
      await this.successor.writeAll(lines);
      this.isFilled = !this.isGivenUp;
    } catch (error) {
      this.hasFailed(error);
      // What is left of it is written over by the next one.
      await this.log.giveUp().catch(() => undefined);
    } finally {
      [this.running, this.successor] = [undefined, undefined];
    }
    if (this.isFilled) this.what.filled();
  }

  private hasFailed(error: unknown): void {
    this.isDue = true;
    this.waitLonger();
    this.what.failed(error);
  }

  private waitLonger(): void {
    this.notBefore = performance.now() + this.pauseMs;
    this.pauseMs = Math.min(2 * this.pauseMs, MOST_PAUSE_MS);
  }

  /** Else it would take from who writes the room that is left. */
  private async hasRoom(): Promise<boolean> {
    const stats = await statfs(dirname(this.log.path)).catch(() => undefined);
    if (stats === undefined) return true;
    const bytes = Math.min(this.log.bytes, 2 * this.what.needed()) + SLACK_BYTES;
    return stats.bavail * stats.bsize > bytes;
  }
}
