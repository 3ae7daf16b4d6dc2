import { spawn, type ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';
import type { Observed } from '@skerry/contracts';
import type { CloudUnderTest } from './cloud-under-test.js';

const PROGRAM = resolve(import.meta.dirname, 'flooder.mjs');
const STARTED_MS = 10_000;

/** What a stolen site sends without end. */
export type Flood = 'reports' | 'keys' | 'bodies' | 'requests';

export interface FloodOptions {
  site: string;
  what: Flood;
  /** Ends by itself after this. */
  forMs: number;
  /** An honest report, from which forged ones are made. */
  report: Observed;
  /** Message ids to use, in turn. */
  messageIds: string[];
}

/** A process that holds everything of one site, and floods the hub through that site's own server as fast as it goes. */
export class Flooder {
  private constructor(
    private readonly child: ChildProcess,
    private readonly ended: Promise<void>,
  ) {}

  /** Resolves when the flood has begun. */
  static async start(under: CloudUnderTest, options: FloodOptions): Promise<Flooder> {
    const { site } = options;
    const port = under.cloud.file.sites.find((s) => s.description.name === site)?.port ?? 0;
    const seedFile = join(under.cloud.paths.site(site), 'agent.seed');
    const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise<void>((done) => child.once('close', () => done()));
    child.stdin.end(JSON.stringify({ ...options, server: `127.0.0.1:${port}`, seedFile }));
    const late = setTimeout(() => child.kill('SIGKILL'), STARTED_MS);
    const began = await Promise.race([
      new Promise<boolean>((said) => child.stdout.once('data', () => said(true))),
      ended.then(() => false),
    ]);
    clearTimeout(late);
    if (!began) throw new Error('the flood did not begin');
    return new Flooder(child, ended);
  }

  async end(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
