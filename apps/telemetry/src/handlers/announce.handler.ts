import { Inject, Injectable } from '@nestjs/common';
import { context, type Context } from '@opentelemetry/api';
import { Conflict } from '@skerry/bus';
import type { Announced, Status } from '@skerry/contracts';
import { announcedAs } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { AnnouncedStore } from '../stores/announced.store.js';

/** A phase that lasts shorter is passed over: nobody can act on it. */
const SETTLE_MS = 100;
/** What only leads to another phase is worth telling when it takes long. */
const PASSING_SETTLE_MS = 1_000;
const PASSING: ReadonlySet<Status['phase']> = new Set(['placing', 'starting', 'stopping']);
/** Writes under way at once. */
const WINDOW = 128;
const RETRY_MS = 250;
const TIMER_SLACK_MS = 5;

/** Keeps the newest announced phase of each workload, so that each change of phase is announced once. */
@Injectable()
export class Announce {
  private readonly waiting = new Map<string, { status: Status; trace: Context; dueAt: number }>();
  private writing = new Map<string, Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private active = false;
  /** Whether something due waits for a place in the window. */
  private full = false;

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
    else this.waiting.set(key, { status, trace: context.active(), dueAt: this.dueAt(key, status) });
    this.later(SETTLE_MS);
  }

  /** Counted from when the phase was first seen, whatever else changes meanwhile. */
  private dueAt(key: string, { phase }: Status): number {
    const before = this.waiting.get(key);
    if (before?.status.phase === phase) return before.dueAt;
    return performance.now() + (PASSING.has(phase) ? PASSING_SETTLE_MS : SETTLE_MS);
  }

  private later(ms: number): void {
    if (this.waiting.size === 0 || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.pump();
    }, ms);
  }

  private pump(): void {
    // A timer fires a little early or late: what is due within its slack counts as due.
    const now = performance.now() + TIMER_SLACK_MS;
    for (const [key, { status, trace, dueAt }] of this.waiting) {
      if (!this.active) return;
      this.full = this.writing.size >= WINDOW;
      if (this.full) return;
      if (this.writing.has(key) || dueAt > now) continue;
      this.waiting.delete(key);
      const writing = context
        .with(trace, () => this.write(key, status))
        .finally(() => {
          this.writing.delete(key);
          if (this.full) this.pump();
        });
      this.writing.set(key, writing);
    }
    this.later(SETTLE_MS);
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
      if (!this.waiting.has(key)) this.waiting.set(key, { status, trace: context.active(), dueAt: 0 });
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
