import { Inject, Injectable } from '@nestjs/common';
import { context, type Context } from '@opentelemetry/api';
import { Conflict } from '@skerry/bus';
import type { Announced, Status } from '@skerry/contracts';
import { announcedAs } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { AnnouncedStore } from '../stores/announced.store.js';

/** A phase that lasts shorter is passed over: nobody can act on it. */
const SETTLE_MS = 100;
/** Writes under way at once. */
const WINDOW = 128;
const RETRY_MS = 250;

/** Keeps the newest announced phase of each workload, so that each change of phase is announced once. */
@Injectable()
export class Announce {
  private readonly waiting = new Map<string, { status: Status; trace: Context }>();
  private writing = new Map<string, Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private active = false;

  constructor(
    private readonly announced: AnnouncedStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    this.active = true;
  }

  async stop(): Promise<void> {
    this.active = false;
    this.waiting.clear();
    clearTimeout(this.timer);
    this.timer = undefined;
    await Promise.all(this.writing.values());
  }

  soon(key: string, status: Status): void {
    if (!this.active) return;
    if (!this.isNews(key, status)) this.waiting.delete(key);
    else this.waiting.set(key, { status, trace: context.active() });
    this.later(SETTLE_MS);
  }

  private later(ms: number): void {
    if (this.waiting.size === 0 || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.pump();
    }, ms);
  }

  private pump(): void {
    for (const [key, { status, trace }] of this.waiting) {
      if (!this.active || this.writing.size >= WINDOW) return;
      if (this.writing.has(key)) continue;
      this.waiting.delete(key);
      const writing = context
        .with(trace, () => this.write(key, status))
        .finally(() => {
          this.writing.delete(key);
          this.pump();
        });
      this.writing.set(key, writing);
    }
  }

  private async write(key: string, status: Status): Promise<void> {
    if (!this.isNews(key, status)) return;
    const { project, name, phase, generation, running, wanted, updatedAt } = status;
    const value: Announced = {
      kind: 'Announced',
      project,
      name,
      phase,
      generation,
      running,
      wanted,
      at: updatedAt,
    };
    try {
      await this.announced.put(value);
    } catch (error) {
      if (!(error instanceof Conflict)) this.log.warn(`phase of ${key} not announced, trying again`, error);
      if (!this.active) return;
      if (!this.waiting.has(key)) this.waiting.set(key, { status, trace: context.active() });
      this.later(RETRY_MS);
    }
  }

  /** Another phase, or the same one reached by another generation. Phases that nobody announces are passed over. */
  private isNews(key: string, status: Status): boolean {
    if (announcedAs(status.phase) === undefined) return false;
    const last = this.announced.of(key);
    return last?.phase !== status.phase || last.generation !== status.generation;
  }
}
