import { theTimeline } from '@skerry/sim';
import { host } from '../hosts.js';
import type { Launched } from '../machine.js';

/** What finds a replica of a simulated machine again: as the agent keeps it. */
interface Live {
  readonly main: { pid: number; startTicks: number; bootId: string };
  readonly keeper: { pid: number; startTicks: number; bootId: string };
  readonly cgroups: string[];
}

/** Between the moment at which it lies on the disk that a replica begins, and its beginning. */
const BEGINS_MS = [1, 200] as const;
/** One in so many does not begin. */
const FAILS_SHARE = 0.02;

/** In place of the agent's driver of real processes: the same promises over a simulated machine. */
export class ProcessDriver {
  readonly name = 'process';
  readonly durable = true;
  private readonly process = theTimeline().current;
  private readonly machine = host().machine;
  private ended: (id: string, ended: { code?: number; note?: string }) => void = () => undefined;
  private closed = false;

  static available(): boolean {
    return true;
  }

  async start(launch: Launched & { mayBegin(): boolean }, commit: (live: Live) => Promise<void>) {
    const { machine, process } = this;
    if (process.random.chance(FAILS_SHARE)) return { ok: false, reason: 'cannot start: simulated' } as const;
    const pid = machine.nextPid();
    const main = { pid, startTicks: pid, bootId: machine.bootId };
    try {
      await commit({ main, keeper: main, cgroups: [] });
    } catch {
      return { ok: false, reason: 'cannot start: its record could not be written' } as const;
    }
    if (launch.deadlineFile !== undefined) machine.onBegins();
    await this.pause(process.random.between(...BEGINS_MS));
    if (!launch.mayBegin()) return { ok: false, reason: 'it may not run any more', heldBack: true } as const;
    machine.start(pid, launch);
    this.look(launch.id, pid);
    return { ok: true } as const;
  }

  adopt(id: string, live: Live | undefined) {
    const { machine } = this;
    const runs = live?.main.bootId === machine.bootId && machine.runs(live.main.pid) !== undefined;
    if (live === undefined || !runs)
      return Promise.resolve({ alive: false, note: 'ended while nobody looked' });
    this.look(id, live.main.pid);
    return Promise.resolve({ alive: true });
  }

  async stop(_id: string, live: Live | undefined, stop: { graceMs: number }): Promise<void> {
    if (live !== undefined && live.main.bootId === this.machine.bootId) {
      await this.machine.stop(live.main.pid, stop.graceMs, this.process);
    }
  }

  async release(id: string, live: Live | undefined): Promise<void> {
    await this.stop(id, live, { graceMs: 0 });
  }

  onEnded(listener: (id: string, ended: { code?: number; note?: string }) => void): void {
    this.ended = listener;
  }

  close(): void {
    this.closed = true;
  }

  private look(id: string, pid: number): void {
    this.machine.look(pid, this.process, (code) => {
      if (!this.closed) this.ended(id, code === undefined ? { note: 'killed' } : { code });
    });
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.process.after(ms, resolve));
  }
}
