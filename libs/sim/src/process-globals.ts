import { anySignal, PlainAbortController } from './plain-abort.js';
import type { SimProcess } from './sim-process.js';
import type { Timeline } from './timeline.js';

/** A timer as Node hands it out. */
class SimTimer {
  private cancel: () => void = () => undefined;

  constructor(
    private readonly process: SimProcess,
    private readonly ms: number,
    private readonly act: () => void,
    private readonly repeats: boolean,
  ) {
    this.refresh();
  }

  refresh(): this {
    this.cancel();
    const due = () => {
      if (this.repeats) this.refresh();
      this.act();
    };
    this.cancel = this.ms === 0 ? this.process.soon(due) : this.process.after(this.ms, due);
    return this;
  }

  clear(): void {
    this.cancel();
  }

  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  hasRef(): boolean {
    return false;
  }
}

const settled = Promise.resolve();

type Callback = (...args: unknown[]) => void;
const RealDate = Date;
let running: Timeline | undefined;

/** The timeline that this process's globals belong to. Throws before `replaceGlobals`. */
export function theTimeline(): Timeline {
  if (running === undefined) throw new Error('no simulation runs');
  return running;
}

/**
 * From now on timers, clocks and chance of this whole (real) process are those of the simulated process whose turn it is:
 * code that asks the runtime for the time runs in a simulation as it is. Call it before anything else is loaded that keeps
 * one of them for itself, and again for each new timeline.
 */
export function replaceGlobals(timeline: Timeline): void {
  if (running === undefined) replace();
  running = timeline;
}

const turn = (): SimProcess => theTimeline().current;

function replace(): void {
  const clear = (timer: unknown) => {
    if (timer instanceof SimTimer) timer.clear();
  };
  const timer =
    (repeats: boolean) =>
    (act: Callback, ms?: number, ...args: unknown[]) =>
      new SimTimer(turn(), wholeOf(ms), () => act(...args), repeats);
  const globals: Record<string, unknown> = {
    setTimeout: timer(false),
    setInterval: timer(true),
    setImmediate: (act: Callback, ...args: unknown[]) => new SimTimer(turn(), 0, () => act(...args), false),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
    // The runtime's own makes a resource for each.
    queueMicrotask: (act: () => void) => void settled.then(act),
    performance: { now: () => turn().monotonic(), timeOrigin: 0 },
    Date: SimDate,
    AbortController: PlainAbortController,
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  Object.defineProperty(AbortSignal, 'any', { value: anySignal, configurable: true, writable: true });
  Math.random = () => turn().random.next();
  process.hrtime.bigint = () => BigInt(Math.round(turn().machineMs * 1e6));
  process.uptime = () => turn().uptimeMs / 1_000;
}

/** As Node: what is no number, or too short, is a millisecond. 0 is for `setImmediate` alone. */
function wholeOf(ms: number | undefined): number {
  return ms === undefined || !(ms >= 1) ? 1 : ms;
}

class SimDate extends RealDate {
  constructor(...given: [] | [number | string]) {
    if (given.length === 0) super(turn().now());
    else super(given[0]);
  }

  static override now(): number {
    return turn().now();
  }
}
