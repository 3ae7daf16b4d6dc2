import { statfs } from 'node:fs/promises';
import { Repeated } from './repeated.js';

const LOOK_MS = 2_000;
/** With less, a disk may be full before the next look. */
const ENOUGH_BYTES = 64 * 1024 * 1024;

/** Whether a disk has room for what is written in the next seconds, as it was when it was looked at last. */
export class DiskRoom {
  private is = false;
  private readonly looking = new Repeated(async () => await this.look());
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly folder: string) {
    this.timer = setInterval(() => this.looking.ask(), LOOK_MS).unref();
    this.looking.ask();
  }

  get isEnough(): boolean {
    return this.is;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const stats = await statfs(this.folder).catch(() => undefined);
    this.is = stats !== undefined && stats.bavail * stats.bsize >= ENOUGH_BYTES;
  }
}
