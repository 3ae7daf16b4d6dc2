import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { readJson, writeAtomic } from '../files/atomic-file.js';
import { reason, type Log } from '../log.js';
import { identify, isAlive, type ProcessIdentity } from '../process/process-identity.js';
import type { Folders, SiteFile } from '../site-file.js';
import { findServer, WANTED } from './find-server.js';

const LOOK_MS = 500;
const MIN_PAUSE_MS = 200;
const MAX_PAUSE_MS = 5_000;
/** Up for this long, it counts as recovered. */
const STEADY_MS = 30_000;
const STOP_MS = 10_000;
const identitySchema = z.object({ pid: z.number(), startTicks: z.number(), bootId: z.string() });

export interface LeafServerOptions {
  dir: string;
  site: SiteFile;
  places: Folders;
  log: Log;
}

/** The site's nats-server as a process that outlives its agent: adopted when it runs, started again when it ends. */
export class LeafServer {
  private running: ProcessIdentity | undefined;
  private startedAt = 0;
  private pauseMs = MIN_PAUSE_MS;
  private noted = true;
  private timer: NodeJS.Timeout | undefined;
  private ending = false;
  private work: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: LeafServerOptions,
    private readonly binary: string,
  ) {}

  /** Finds the binary, adopts or starts the server. Throws, saying what to do, when there is no binary. */
  static async start(options: LeafServerOptions): Promise<LeafServer> {
    const binary = await findServer(options.site.natsServer);
    if (binary === undefined) {
      throw new Error(`no nats-server found: put one on PATH or name it by NATS_SERVER; ${WANTED}`);
    }
    const server = new LeafServer(options, binary);
    const known = identitySchema.safeParse(await readJson(options.places.leafServer).catch(() => undefined));
    if (known.success && isAlive(known.data)) server.running = known.data;
    else await server.launch();
    server.look();
    return server;
  }

  get pid(): number | undefined {
    return this.running?.pid;
  }

  /** Ends it and starts it again: it then reads its certificate anew. */
  async restart(): Promise<void> {
    await this.end();
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    this.leave();
    await this.work;
    await this.end();
  }

  /** Looks after it no more; it goes on. */
  leave(): void {
    this.ending = true;
    clearTimeout(this.timer);
  }

  private look(): void {
    this.timer = setTimeout(() => {
      this.work = this.check().finally(() => {
        if (!this.ending) this.look();
      });
    }, LOOK_MS).unref();
  }

  private async check(): Promise<void> {
    if (this.running !== undefined && isAlive(this.running))
      return this.noted ? undefined : await this.note();
    const { log } = this.options;
    if (Date.now() - this.startedAt > STEADY_MS) this.pauseMs = MIN_PAUSE_MS;
    log.warn('the nats-server of this site ended: starting it again', { pauseMs: this.pauseMs });
    await sleep(this.pauseMs);
    this.pauseMs = Math.min(this.pauseMs * 2, MAX_PAUSE_MS);
    if (this.ending) return;
    await this.launch().catch((error: unknown) => {
      log.error('the nats-server of this site does not start', {
        alarm: 'leaf-server',
        reason: reason(error),
      });
    });
  }

  private async launch(): Promise<void> {
    const { dir, places } = this.options;
    const output = await open(join(dir, 'leaf.log'), 'a', 0o600);
    try {
      const child = spawn(this.binary, ['-c', places.leafConf], {
        detached: true,
        stdio: ['ignore', output.fd, output.fd],
        env: { PATH: process.env['PATH'] ?? '' },
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      child.unref();
      this.running = identify(child.pid ?? 0);
      this.startedAt = Date.now();
    } finally {
      await output.close();
    }
    await this.note();
  }

  /** Writes down which process it is. A full disk does not end it: without, the next agent would start a second one. */
  private async note(): Promise<void> {
    const { places, log } = this.options;
    try {
      await writeAtomic(places.leafServer, JSON.stringify(this.running ?? null));
      this.noted = true;
    } catch (error) {
      if (this.noted)
        log.warn('which process the nats-server of this site is was not written', { reason: reason(error) });
      this.noted = false;
    }
  }

  private async end(): Promise<void> {
    const { running } = this;
    if (running === undefined) return;
    for (const [signal, withinMs] of [
      ['SIGTERM', STOP_MS],
      ['SIGKILL', STOP_MS],
    ] as const) {
      if (!isAlive(running)) return;
      process.kill(running.pid, signal);
      for (let waited = 0; waited < withinMs && isAlive(running); waited += 50) await sleep(50);
    }
  }
}
