import { readFileSync } from 'node:fs';
import { leaseOf } from '@skerry/domain';
import { writeAtomic } from '../files/atomic-file.js';
import { reason, type Log } from '../log.js';

/**
 * Until when singletons of this node may run, in a file that their keepers read: they end them when nobody renews it, since
 * the agent that would is dead or stands still. In milliseconds of the machine's uptime, which nobody can set.
 */
export class LeaseDeadline {
  private writing: Promise<void> = Promise.resolve();
  private newest = 0;

  constructor(
    readonly path: string,
    private readonly log: Log,
  ) {}

  /** A lease counts from `sentAtMs` of the monotonic clock; resolves when the keepers can read it. */
  async renew(sentAtMs: number): Promise<void> {
    const left = leaseOf(sentAtMs).killAtMs - performance.now();
    const deadline = Math.floor(uptimeMs() + left);
    if (deadline <= this.newest) return await this.writing;
    this.newest = deadline;
    this.writing = this.writing.then(async () => {
      // Not durable: after a crash of the machine nothing runs that it could be for.
      await writeAtomic(this.path, `${this.newest}\n`, { durable: false }).catch((error: unknown) =>
        this.log.warn('the deadline of singletons was not written', { reason: reason(error) }),
      );
    });
    await this.writing;
  }
}

function uptimeMs(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1_000;
}
