import { Injectable } from '@nestjs/common';
import { SteadyClock } from './steady-clock.js';

/** Workloads that could not be placed are looked at again this long after the first thing that may help them. */
const GATHER_MS = 100;
/** A timer of node fires at once when asked for more. */
const TIMER_MAX_MS = 2_147_000_000;

/** Which workloads to look at: now, by priority and then in the order they came up, and at a time to come. */
@Injectable()
export class AgendaStore {
  /** By priority. */
  private readonly due = new Map<number, Set<string>>();
  private priorityOf: (key: string) => number = () => 0;
  private readonly later = new Map<string, number>();
  private readonly stuck = new Set<string>();
  private gathering: NodeJS.Timeout | undefined;
  private alarm: { at: number; timer: NodeJS.Timeout } | undefined;
  private wake: (() => void) | undefined;

  constructor(private readonly clock: SteadyClock) {}

  /** Calls `wake` whenever something is due, from now on. Of what is due the highest priority comes first. */
  open(wake: () => void, priorityOf: (key: string) => number): void {
    this.wake = wake;
    this.priorityOf = priorityOf;
    wake();
  }

  /** Forgets everything: another instance decides now. */
  close(): void {
    this.wake = undefined;
    this.due.clear();
    this.later.clear();
    this.stuck.clear();
    clearTimeout(this.gathering);
    clearTimeout(this.alarm?.timer);
    this.gathering = undefined;
    this.alarm = undefined;
  }

  soon(key: string): void {
    if (!this.wake) return;
    this.add(key);
    this.wake();
  }

  /** Looks at it at `at` (ms since the epoch); Infinity takes an earlier wish back. */
  at(key: string, at: number): void {
    if (!this.wake) return;
    if (at === Number.POSITIVE_INFINITY) this.later.delete(key);
    else this.later.set(key, at);
    this.setAlarm(at);
  }

  /** Notes whether a workload lacks replicas: then everything that frees or adds room may help it. */
  lacking(key: string, lacks: boolean): void {
    if (lacks) this.stuck.add(key);
    else this.stuck.delete(key);
  }

  /** Something has changed that may help what could not be placed. */
  mayHelp(): void {
    if (!this.wake || this.stuck.size === 0) return;
    // Not at once: many changes come together, and each would have all of them looked at.
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined;
      for (const key of this.stuck) this.add(key);
      this.wake?.();
    }, GATHER_MS);
  }

  /** Takes the next one that is due. */
  next(): string | undefined {
    const [highest] = [...this.due.keys()].toSorted((a, b) => b - a);
    const keys = highest === undefined ? undefined : this.due.get(highest);
    const [key] = keys ?? [];
    if (key !== undefined) keys?.delete(key);
    if (highest !== undefined && keys?.size === 0) this.due.delete(highest);
    return key;
  }

  private add(key: string): void {
    const priority = this.priorityOf(key);
    // Its priority may have been another when it came up first.
    for (const [other, keys] of this.due) {
      if (other !== priority && keys.delete(key) && keys.size === 0) this.due.delete(other);
    }
    this.due.set(priority, (this.due.get(priority) ?? new Set<string>()).add(key));
  }

  private setAlarm(at: number): void {
    if (at === Number.POSITIVE_INFINITY || (this.alarm && this.alarm.at <= at)) return;
    clearTimeout(this.alarm?.timer);
    const timer = setTimeout(() => this.ring(), Math.min(TIMER_MAX_MS, Math.max(0, at - this.clock.now())));
    this.alarm = { at, timer };
  }

  private ring(): void {
    this.alarm = undefined;
    const now = this.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [key, at] of this.later) {
      if (at <= now) {
        this.later.delete(key);
        this.add(key);
      } else next = Math.min(next, at);
    }
    this.setAlarm(next);
    this.wake?.();
  }
}
