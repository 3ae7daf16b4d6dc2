import { randomBytes } from 'node:crypto';
import type { Bus } from '@skerry/bus';
import { STREAMS, givesBy, workloadKey } from '@skerry/contracts';
import type { JsonLog } from '@skerry/service';

/** Datasets share so many marks: what the server goes by stays as small with a thousand of them. */
const SHARDS = 32;
const MARK_BYTES = 4;
const RETRY_MS = 250;
/** Once a minute. */
const SAID_EVERY = 240;
/** A server that starts again has forgotten them, and who held the lease before may have come late. */
const LOOK_MS = 10_000;

interface Ref {
  project: string;
  name: string;
}

/**
 * By which marks sites may give each other records. The server itself lets nothing pass but what carries one of them: stream `GIVEN`
 * takes these subjects alone. So a rule that changes holds for who has not heard of it too, as soon as the server has the new marks.
 */
export class GivingMarks {
  private readonly marks: string[] = [];
  private active = false;
  private holds: () => boolean = () => false;
  private unlisten: () => void = () => undefined;
  private timer: NodeJS.Timeout | undefined;
  private isTold = false;
  private due = false;
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly bus: Bus,
    private readonly log: JsonLog,
  ) {}

  /** `holds`: whether this instance may still write. From now on it says by which; all of before are over. Until the server has heard so, there are none. */
  start(holds: () => boolean): void {
    [this.active, this.isTold, this.holds] = [true, false, holds];
    this.unlisten();
    this.unlisten = this.bus.onConnection((connected) => {
      this.isTold = false;
      if (connected) this.revokeAll();
    });
    clearInterval(this.timer);
    this.timer = setInterval(() => this.renew([]), LOOK_MS).unref();
    this.revokeAll();
  }

  async stop(): Promise<void> {
    this.active = false;
    this.unlisten();
    clearInterval(this.timer);
    await this.work;
  }

  /** The mark of a dataset: two tokens. Undefined: this instance has no say. */
  of(dataset: Ref): string | undefined {
    const shard = shardOf(dataset);
    return this.active && this.isTold && this.holds() ? `${shard}.${this.marks[shard]}` : undefined;
  }

  /** What was said of a dataset before is over: who may have it, or what of it, is another. */
  revoke(dataset: Ref): void {
    if (this.active) this.renew([shardOf(dataset)]);
  }

  revokeAll(): void {
    if (this.active) this.renew(Array.from({ length: SHARDS }, (_, shard) => shard));
  }

  private renew(shards: readonly number[]): void {
    for (const shard of shards) this.marks[shard] = randomBytes(MARK_BYTES).toString('hex');
    if (this.due) return;
    this.due = true;
    this.work = this.work.then(async () => await this.tell());
  }

  /** Tells the server, until it has heard it: what is over would pass until then. */
  private async tell(): Promise<void> {
    // What is renewed from here on is told once more.
    this.due = false;
    for (let tries = 0; this.active && this.holds(); tries += 1) {
      const subjects = this.marks.map((mark, shard) => givesBy(`${shard}.${mark}`));
      try {
        await this.bus.ensureStream({ ...STREAMS.GIVEN, subjects });
        this.isTold = true;
        return;
      } catch (error) {
        if (tries % SAID_EVERY === 0)
          this.log.error('alarm: what sites may give each other is not told to the server', error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}

function shardOf(dataset: Ref): number {
  let hash = 0;
  for (const char of workloadKey(dataset.project, dataset.name))
    hash = (hash * 31 + char.charCodeAt(0)) % 65_521;
  return hash % SHARDS;
}
