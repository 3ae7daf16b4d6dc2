import { createHash } from 'node:crypto';
import type { Timeline } from './timeline.js';

/** What happened, line by line, with the moment of each: the same seed gives the same bytes. */
export class Transcript {
  private readonly lines: string[] = [];
  private readonly hash = createHash('sha256');

  /** Keeps the last `kept` lines; the digest is of all. */
  constructor(
    private readonly timeline: Timeline,
    private readonly kept = 5_000,
  ) {}

  say(who: string, what: string): void {
    const line = `${(this.timeline.now / 1_000).toFixed(3).padStart(8)} ${who}: ${what}`;
    this.hash.update(line).update('\n');
    this.lines.push(line);
    if (this.lines.length > 2 * this.kept) this.lines.splice(0, this.kept);
  }

  /** The last lines. */
  text(lines = this.kept): string {
    return this.lines.slice(-lines).join('\n');
  }

  digest(): string {
    return this.hash.copy().digest('hex').slice(0, 32);
  }
}
