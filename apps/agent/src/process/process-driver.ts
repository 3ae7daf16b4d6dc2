import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from '@skerry/contracts';
import {
  HELD_BACK,
  type Adopted,
  type Driver,
  type Ended,
  type Launch,
  type Started,
} from '../drivers/driver.js';
import type { Live } from '../drivers/live.js';
import { reason } from '../log.js';
import type { Cgroups } from './cgroups.js';
import { keep, NEVER_STARTED, type Kept } from './keeper.js';
import { MARK, markOf, StartedBy } from './started-by.js';
import { isRunning, signalAll, signalGroup } from './process-group.js';
import { isAlive } from './process-identity.js';
import { openLog, prepareFolder, workFolder } from './work-folder.js';

/** How often adopted replicas are looked at; those of this agent's own tell by themselves. */
const WATCH_MS = 200;
const POLL_MS = 20;
/** Time for the kernel to end what was killed, and for the keeper to write the exit code. */
const KILL_MS = 5_000;
const KEEPER_MS = 250;
const SIGNAL_BASE = 128;
const SIGKILL = 9;

/**
 * Runs each replica as a real process in a session of its own, with the limits of a cgroup where there is one, its
 * output in files. It outlives the agent and is found again by process id, start time and boot.
 */
export class ProcessDriver implements Driver {
  readonly name = 'process';
  readonly durable = true;
  /** Replicas that run, by id. */
  private readonly watched = new Map<string, { live: Live; own: boolean }>();
  private ended: (id: string, ended: Ended) => void = () => undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: { workRoot: string; cgroups: Cgroups }) {}

  /** Whether this machine can run replicas so that they are found again. */
  static available(): boolean {
    return existsSync('/proc/self/stat') && existsSync('/bin/sh');
  }

  async start(launch: Launch, commit: (live: Live) => Promise<void>): Promise<Started> {
    let cgroups: string[] = [];
    let kept: Kept | undefined;
    try {
      cgroups = this.options.cgroups.create(launch.id, launch.resources);
      kept = await this.toTheGate(launch, cgroups[0]);
      this.options.cgroups.enter(cgroups, kept.main.pid);
      const live: Live = { main: kept.main, keeper: kept.keeper, cgroups };
      await commit(live);
      // The agent may have stood still since it decided, for longer than a lease lasts.
      if (!launch.mayBegin()) return await this.holdBack(launch.id, kept, live);
      this.watched.set(launch.id, { live, own: true });
      kept.go();
      kept.onExit(() => this.keeperEnded(launch.id, live));
      return { ok: true };
    } catch (error) {
      this.watched.delete(launch.id);
      kept?.abandon();
      this.options.cgroups.remove(cgroups);
      return { ok: false, reason: `cannot start: ${reason(error)}` };
    }
  }

  async adopt(id: string, live: Live | undefined): Promise<Adopted> {
    if (live !== undefined && isRunning(live)) {
      this.watched.set(id, { live, own: false });
      this.watch();
      return { alive: true };
    }
    if (live === undefined) return { alive: false, note: 'the agent ended before it began' };
    const ended = await this.collect(id, live);
    return { alive: false, ...ended };
  }

  async stop(id: string, live: Live | undefined, stop: Run['stop']): Promise<void> {
    this.watched.delete(id);
    if (live === undefined) return;
    const started = this.startedBy(id, live);
    const apart = started.apart();
    signalGroup(live, stop.signal);
    signalAll(apart, stop.signal);
    await until(() => !isAlive(live.main), stop.graceMs);
    if (!isAlive(live.main)) await until(() => !isAlive(live.keeper), KEEPER_MS);
    await this.killLeftovers(live, started);
  }

  async release(id: string, live: Live | undefined): Promise<void> {
    if (live !== undefined) await this.killLeftovers(live, this.startedBy(id, live));
    await rm(workFolder(this.options.workRoot, id).base, { recursive: true, force: true });
  }

  onEnded(listener: (id: string, ended: Ended) => void): void {
    this.ended = listener;
  }

  /** Stops looking; replicas go on. */
  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async toTheGate(launch: Launch, cgroup: string | undefined): Promise<Kept> {
    const folder = workFolder(this.options.workRoot, launch.id);
    const mark = markOf(this.options.workRoot, launch.id);
    const cwd = await prepareFolder(folder, launch.run);
    const [stdout, stderr] = [await openLog(folder, 'stdout'), await openLog(folder, 'stderr')];
    try {
      return await keep({
        argv: launch.run.command ?? [],
        env: { ...launch.env, [MARK]: mark },
        mark: `${MARK}=${mark}`,
        cwd,
        exitFile: folder.exit,
        deadlineFile: launch.deadlineFile,
        cgroup,
        stdout: stdout.fd,
        stderr: stderr.fd,
      });
    } finally {
      await stdout.close();
      await stderr.close();
    }
  }

  private async holdBack(id: string, kept: Kept, live: Live): Promise<Started> {
    kept.abandon();
    await this.killLeftovers(live, this.startedBy(id, live));
    return HELD_BACK;
  }

  private startedBy(id: string, live: Live): StartedBy {
    return new StartedBy(live, markOf(this.options.workRoot, id));
  }

  private keeperEnded(id: string, live: Live): void {
    const watched = this.watched.get(id);
    if (watched?.live !== live) return;
    // Somebody killed the keeper alone: the command runs on and is looked after like an adopted one.
    if (isAlive(live.main)) {
      watched.own = false;
      this.watch();
      return;
    }
    this.finish(id, live);
  }

  private watch(): void {
    this.timer ??= setInterval(() => {
      for (const [id, { live, own }] of this.watched) {
        if (!own && !isRunning(live)) this.finish(id, live);
      }
    }, WATCH_MS).unref();
  }

  private finish(id: string, live: Live): void {
    this.watched.delete(id);
    this.collect(id, live).then(
      (ended) => this.ended(id, ended),
      (error: unknown) => this.ended(id, { note: reason(error) }),
    );
  }

  /** The exit code, where the keeper could write it; and an end to what the command left running. */
  private async collect(id: string, live: Live): Promise<Ended> {
    const text = await readFile(workFolder(this.options.workRoot, id).exit, 'utf8').catch(() => '');
    const code = /^\d{1,3}\n$/.test(text) ? Number(text) : undefined;
    const outOfMemory = this.options.cgroups.ranOutOfMemory(live.cgroups);
    await this.killLeftovers(live, this.startedBy(id, live));
    const note = outOfMemory ? 'killed by the kernel: over its memory limit' : noteOf(code);
    return { ...(code === undefined ? {} : { code }), ...(note === undefined ? {} : { note }) };
  }

  /** The command and what it started first: the keeper then collects it, and no dead process is left to nobody. */
  private async killLeftovers(live: Live, started: StartedBy): Promise<void> {
    const { cgroups } = this.options;
    const left = () => [...started.members(), ...cgroups.members(live.cgroups)];
    await until(() => {
      const members = left();
      signalAll(members, 'SIGKILL');
      return members.length === 0;
    }, KILL_MS);
    await until(() => !isAlive(live.keeper), KEEPER_MS);
    signalGroup(live, 'SIGKILL');
    await until(() => !isRunning(live) && cgroups.remove(live.cgroups), KILL_MS);
  }
}

function noteOf(code: number | undefined): string | undefined {
  if (code === undefined) return 'ended while nobody looked: exit code unknown';
  if (code === 127) return 'exit code 127: the command was not found';
  if (code === 126) return 'exit code 126: the command may not be executed';
  if (code === NEVER_STARTED) return 'the agent ended before it began';
  if (code === SIGNAL_BASE + SIGKILL) return 'killed';
  if (code > SIGNAL_BASE) return `ended by signal ${code - SIGNAL_BASE}`;
  return code === 0 ? undefined : `exit code ${code}`;
}

async function until(condition: () => boolean, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (let wait = 1; !condition() && performance.now() < deadline; wait = Math.min(wait * 2, POLL_MS)) {
    await sleep(Math.min(wait, Math.max(0, deadline - performance.now())));
  }
}
