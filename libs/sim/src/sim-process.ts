import type { Clock } from '@skerry/bus';
import { Random } from './random.js';
import type { Timeline } from './timeline.js';

/** Where virtual time begins, ms since 1970. */
export const EPOCH_MS = Date.UTC(2026, 0, 1);

export interface ProcessOptions {
  id?: number;
  seed?: number;
  /** How far its wall clock is off. */
  wallOffsetMs?: number;
  /** How fast its clocks run; 1 is right. */
  rate?: number;
}

/**
 * A process of the simulated cloud: it has clocks of its own, may be stopped for a while or killed, and then nothing of it
 * happens any more. It is only as real as this: what it may lose is its memory, what stays is what others hold.
 */
export class SimProcess implements Clock {
  readonly id: number;
  readonly random: Random;
  private readonly bornAt: number;
  private readonly wallOffsetMs: number;
  readonly rate: number;
  private killed = false;
  private held: (() => void)[] | undefined;
  private readonly onKill: (() => void)[] = [];

  constructor(
    readonly timeline: Timeline,
    readonly name: string,
    { id = 0, seed = 0, wallOffsetMs = 0, rate = 1 }: ProcessOptions,
  ) {
    this.id = id;
    this.random = new Random(seed, `process ${name}`);
    this.bornAt = timeline.now;
    this.wallOffsetMs = wallOffsetMs;
    this.rate = rate;
  }

  get alive(): boolean {
    return !this.killed;
  }

  get stopped(): boolean {
    return this.held !== undefined;
  }

  now(): number {
    return Math.floor(EPOCH_MS + this.timeline.now + this.wallOffsetMs);
  }

  monotonic(): number {
    return 1_000 * this.id + this.uptimeMs;
  }

  /** How long its machine has been up, by the same clock as `monotonic`. */
  get machineMs(): number {
    return this.timeline.now * this.rate;
  }

  get uptimeMs(): number {
    return (this.timeline.now - this.bornAt) * this.rate;
  }

  /** As a timer: nothing is shorter than a millisecond. */
  after(ms: number, act: () => void): () => void {
    return this.timeline.after(Math.max(1, ms) / this.rate, this, act);
  }

  /** When all that is due now has happened. */
  soon(act: () => void): () => void {
    return this.timeline.after(0, this, act);
  }

  /** As SIGKILL: nothing of it happens any more. */
  kill(): void {
    if (this.killed) return;
    this.killed = true;
    this.held = undefined;
    for (const tell of this.onKill) tell();
  }

  /** Called when it is killed. */
  onKilled(listener: () => void): void {
    this.onKill.push(listener);
  }

  /** As SIGSTOP: what should happen waits. */
  stop(): void {
    this.held ??= [];
  }

  /** As SIGCONT: what waited happens now, in order. */
  resume(): void {
    const { held } = this;
    this.held = undefined;
    for (const act of held ?? []) this.timeline.after(0, this, act);
  }

  /** Whether an event of it may happen now; one of a stopped process is kept. */
  takes(act: () => void): boolean {
    if (this.killed) return false;
    if (this.held === undefined) return true;
    this.held.push(act);
    return false;
  }
}
