import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SkerryClient } from '@skerry/client';
import { findNatsServer } from '@skerry/nats-server';
import { z } from 'zod';
import { eventually } from './cloud-under-test.js';

const MAIN = resolve(import.meta.dirname, '..', '..', 'deploy', 'local', 'dist', 'main.js');
/** What it prints last when all of it is up. */
export const UP = /Ctrl-C stops all of it/;

/** What `npm start` runs once everything is installed and built, as a process of its own. */
export class LocalRunner {
  output = '';
  private readonly closed: Promise<number>;

  private constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.closed = new Promise((done) =>
      child.once('close', (code, signal) => done(code ?? signalled(signal))),
    );
  }

  static async start(
    home: string,
    args: readonly string[] = [],
    env: Record<string, string> = {},
  ): Promise<LocalRunner> {
    const natsServer = env['NATS_SERVER'] ?? (await findNatsServer());
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: home,
        ...env,
        NATS_SERVER: natsServer,
        SKERRY_HOME: home,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new LocalRunner(child);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves when it has printed what `pattern` wants; rejects with what it printed instead. */
  async said(pattern: RegExp, withinMs: number): Promise<void> {
    const ended = this.closed.then((code) => {
      if (!pattern.test(this.output)) throw new Error(`ended with ${code}:\n${this.output}`);
    });
    const heard = eventually(() => (pattern.test(this.output) ? true : undefined), {
      withinMs,
      what: `${String(pattern)} printed`,
    }).catch((cause: unknown) => {
      throw new Error(`it printed:\n${this.output}`, { cause });
    });
    await Promise.race([heard, ended]);
  }

  async up(): Promise<void> {
    await this.said(UP, 60_000);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Its exit code, 128 and the signal's number when it died of one. Kills it when it is not gone in time. */
  async ended(withinMs = 30_000): Promise<number> {
    const insist = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    const code = await this.closed;
    clearTimeout(insist);
    return code;
  }
}

const signalled = (signal: NodeJS.Signals | null) => (signal === 'SIGKILL' ? 137 : 1);

const contextSchema = z.object({ url: z.string(), token: z.string() });

/** A client with what the cloud of a folder gave to the command line. */
export async function clientOfHome(home: string): Promise<SkerryClient> {
  const { url, token } = contextSchema.parse(JSON.parse(await readFile(join(home, 'context.json'), 'utf8')));
  return new SkerryClient({ url, token });
}

export interface SeenProcess {
  pid: number;
  argv: string[];
  environ: string[];
}

/** Every living process that has to do with a folder: by its arguments, its environment or its working folder. */
export async function processesOf(home: string): Promise<SeenProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const seen = await Promise.all(pids.filter((pid) => pid !== process.pid).map(look));
  return seen.flatMap((p) => {
    const texts = p === undefined ? [] : [p.cwd, ...p.argv, ...p.environ];
    return p !== undefined && texts.some((text) => text.includes(home)) ? [p] : [];
  });
}

async function look(pid: number): Promise<(SeenProcess & { cwd: string }) | undefined> {
  try {
    const [cmdline, environ, cwd] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile(`/proc/${pid}/environ`, 'utf8'),
      readlink(`/proc/${pid}/cwd`),
    ]);
    return { pid, argv: cmdline.split('\0'), environ: environ.split('\0'), cwd };
  } catch {
    return undefined; // Ended meanwhile, or somebody else's.
  }
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
