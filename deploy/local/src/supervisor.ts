import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { asKnownProcess, catches, isRunning, startTimeOf, type KnownProcess } from './known-process.js';
import { openLog } from './process-log.js';

/** What to run: an argv array, the whole environment (nothing is inherited but what is here), and its log file's name. */
export interface ProcessSpec {
  name: string;
  argv: readonly [string, ...string[]];
  env: Readonly<Record<string, string>>;
  cwd?: string;
  /** How long it may take to end before SIGKILL. Default 12,000. */
  stopTimeoutMs?: number;
}

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 5_000;
/** A program may take this long from its start until it handles signals. */
const CATCH_TIMEOUT_MS = 5_000;
/** With this code a program says that its configuration is wrong (EX_CONFIG of sysexits.h). */
const EXIT_CONFIG = 78;
/** A process that ran this long starts over with the first backoff. */
const STEADY_MS = 30_000;

interface Running {
  spec: ProcessSpec;
  child: ChildProcess | undefined;
  backoffMs: number;
  startedAt: number;
  stopping: boolean;
  restart: NodeJS.Timeout | undefined;
  endings: Endings;
}

/** How often a process ended by itself since it was asked for, and how the last time. */
export interface Endings {
  times: number;
  how: string;
  /** Starting it again is of no use: it could not be started at all, or its configuration is wrong. */
  final: boolean;
}

/**
 * Keeps a cloud's processes running: restarts what ends by itself, with backoff, and ends what is left over from a run
 * that was killed. Each process has a group and a log file of its own, so that Ctrl-C reaches only this one.
 */
export class Supervisor {
  private readonly running = new Map<string, Running>();

  constructor(
    private readonly options: {
      logs: string;
      pidFile: string;
      /** Hears of each process that ended by itself; `end` says that it is not to be started again. */
      onExit?: (name: string, endings: Endings) => 'restart' | 'end';
    },
  ) {
    mkdirSync(options.logs, { recursive: true, mode: 0o700 });
  }

  /** Starts a process and keeps it running. Returns its process id. */
  start(spec: ProcessSpec): number {
    if (this.running.has(spec.name)) throw new Error(`${spec.name} runs already`);
    const entry: Running = {
      spec,
      child: undefined,
      backoffMs: FIRST_BACKOFF_MS,
      startedAt: 0,
      stopping: false,
      restart: undefined,
      endings: { times: 0, how: '', final: false },
    };
    this.running.set(spec.name, entry);
    return this.spawn(entry);
  }

  /** The process id of a running process, or undefined. */
  pid(name: string): number | undefined {
    const child = this.running.get(name)?.child;
    return child?.exitCode === null && child.signalCode === null ? child.pid : undefined;
  }

  /** How often a process ended by itself; undefined for one that is not to run. */
  endings(name: string): Endings | undefined {
    return this.running.get(name)?.endings;
  }

  names(): string[] {
    return [...this.running.keys()];
  }

  /** Asks a process to end (default SIGTERM), insists after its time is up, and resolves when it is gone. */
  async stop(name: string, signal?: NodeJS.Signals): Promise<void> {
    const entry = this.running.get(name);
    if (entry === undefined) return;
    entry.stopping = true;
    clearTimeout(entry.restart);
    const { child, spec } = entry;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      if (signal !== undefined && signal !== 'SIGKILL') await untilCaught(child.pid, signal);
      child.kill(signal ?? 'SIGTERM');
      const insist = setTimeout(() => child.kill('SIGKILL'), spec.stopTimeoutMs ?? 12_000);
      await gone;
      clearTimeout(insist);
    }
    this.running.delete(name);
    this.record();
  }

  /** Ends what an earlier run of this folder left behind; a process is known by its id and start time. Returns their names. */
  static async endLeftovers(pidFile: string): Promise<string[]> {
    const left = readPids(pidFile).filter(isRunning);
    for (const { pid } of left) signalTo(pid, 'SIGTERM');
    const deadline = Date.now() + 12_000;
    const alive = () => left.filter(isRunning);
    while (alive().length > 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50));
    for (const { pid } of alive()) signalTo(pid, 'SIGKILL');
    return left.map((p) => p.name);
  }

  private spawn(entry: Running): number {
    const { spec } = entry;
    const log = openLog(join(this.options.logs, `${spec.name}.log`));
    const [command, ...args] = spec.argv;
    const child = spawn(command, args, {
      env: { ...spec.env },
      cwd: spec.cwd,
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    entry.child = child;
    entry.startedAt = Date.now();
    child.once('error', (cause) => this.ended(entry, cause.message, true));
    child.once('exit', (code, signal) =>
      this.ended(entry, signal ?? `exit code ${code}`, code === EXIT_CONFIG),
    );
    this.record();
    return child.pid ?? 0;
  }

  private ended(entry: Running, how: string, final: boolean): void {
    if (entry.stopping) return;
    entry.endings = { times: entry.endings.times + 1, how, final };
    if (this.options.onExit?.(entry.spec.name, entry.endings) === 'end') {
      this.running.delete(entry.spec.name);
      this.record();
      return;
    }
    if (Date.now() - entry.startedAt > STEADY_MS) entry.backoffMs = FIRST_BACKOFF_MS;
    entry.restart = setTimeout(() => this.spawn(entry), entry.backoffMs);
    entry.backoffMs = Math.min(entry.backoffMs * 2, MAX_BACKOFF_MS);
  }

  private record(): void {
    const pids = [...this.running.values()].flatMap(({ spec, child }) => {
      const pid = child?.pid;
      const startTime = pid === undefined ? undefined : startTimeOf(pid);
      return pid === undefined || startTime === undefined ? [] : [{ name: spec.name, pid, startTime }];
    });
    const draft = `${this.options.pidFile}.new`;
    writeFileSync(draft, JSON.stringify(pids), { mode: 0o600 });
    renameSync(draft, this.options.pidFile);
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/**
 * Waits until a process that has just started understands a signal of its own. An agent that died of it instead would
 * leave its replicas running.
 */
async function untilCaught(pid: number, signal: NodeJS.Signals): Promise<void> {
  const deadline = Date.now() + CATCH_TIMEOUT_MS;
  while (!catches(pid, constants.signals[signal]) && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20));
}

interface NamedProcess extends KnownProcess {
  name: string;
}

function readPids(path: string): NamedProcess[] {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(value) ? value.flatMap(named) : [];
  } catch {
    return []; // No file, or cut off by a crash: then nothing is known to be left.
  }
}

function named(value: unknown): NamedProcess[] {
  const known = asKnownProcess(value);
  if (known === undefined || typeof value !== 'object' || value === null || !('name' in value)) return [];
  return [{ ...known, name: String(value.name) }];
}
