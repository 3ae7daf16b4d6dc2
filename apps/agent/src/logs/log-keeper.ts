import { appendFile, stat } from 'node:fs/promises';
import { reason, type Log } from '../log.js';
import { keepWithin } from './log-budget.js';
import { LOG_STREAMS, logPaths, rotate, ROTATE_BYTES, sizeOf, type LogStream } from './log-files.js';

const EVERY_MS = 1_000;
/** All logs are counted this often. */
const BUDGET_EVERY_MS = 10_000;

/**
 * Looks after the logs of running replicas once a second: notes how far each had grown by when (a replica's lines
 * carry no time of their own), and exchanges those that became large.
 */
export class LogKeeper {
  private readonly sizes = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private busy = false;
  private failing = false;
  private budgetAt = 0;

  constructor(
    private readonly options: {
      /** Log folders of replicas that may be writing. */
      folders: () => string[];
      log: Log;
      rotateBytes?: number;
      /** Room for the logs of all replicas, those that ended too. */
      budget?: { workRoot: string; bytes: number };
    },
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.tick(), EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** One look; skipped while the one before is not done. */
  async tick(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      const folders = this.options.folders();
      for (const folder of folders) await this.look(folder);
      await this.keepToBudget();
      this.forgetOthers(new Set(folders));
      this.failing = false;
    } catch (error) {
      // Said once: on a full disk it would be said every second.
      if (!this.failing)
        this.options.log.warn('logs of replicas are not looked after', { reason: reason(error) });
      this.failing = true;
    } finally {
      this.busy = false;
    }
  }

  private async keepToBudget(): Promise<void> {
    const { budget, log } = this.options;
    if (budget === undefined || performance.now() < this.budgetAt) return;
    this.budgetAt = performance.now() + BUDGET_EVERY_MS;
    const gone = await keepWithin(budget.workRoot, budget.bytes);
    if (gone > 0)
      log.warn('the oldest lines of replicas were dropped: their room is used up', { bytes: gone });
  }

  private async look(folder: string): Promise<void> {
    for (const stream of LOG_STREAMS) await this.lookAt(folder, stream);
  }

  private async lookAt(folder: string, stream: LogStream): Promise<void> {
    const { log, index } = logPaths(folder, stream);
    const known = this.sizes.get(log);
    const found = await stat(log).catch(() => undefined);
    if (found === undefined || found.size === (known ?? 0)) return;
    // What was written while no agent looked is as old as the file's last change.
    const at = known === undefined ? Math.min(Date.now(), Math.round(found.mtimeMs)) : Date.now();
    await appendFile(index, `${found.size} ${at}\n`, { mode: 0o600 });
    this.sizes.set(log, found.size);
    if (found.size < (this.options.rotateBytes ?? ROTATE_BYTES)) return;
    await rotate(folder, stream);
    this.sizes.set(log, await sizeOf(log));
  }

  private forgetOthers(folders: ReadonlySet<string>): void {
    for (const path of this.sizes.keys()) {
      if (!folders.has(path.slice(0, path.lastIndexOf('/')))) this.sizes.delete(path);
    }
  }
}
