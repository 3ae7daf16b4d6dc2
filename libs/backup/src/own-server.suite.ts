import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectBus, type Bus } from '@skerry/bus';
import { findNatsServer } from '@skerry/nats-server';

/** A nats-server of the test's own with a bus to it; `folder` is the test's to write to. */
export class OwnServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly bus: Bus,
    readonly folder: string,
  ) {}

  static async start(): Promise<OwnServer> {
    const folder = await mkdtemp(join(tmpdir(), 'skerry-backup-'));
    const port = await freePort();
    const config = join(folder, 'server.conf');
    // All streams of a hub reserve more than the server would take of a small disk by itself.
    await writeFile(config, `jetstream { store_dir: "${join(folder, 'js')}", max_file_store: 64GB }\n`);
    const args = ['-a', '127.0.0.1', '-p', String(port), '-c', config];
    const child = spawn(await findNatsServer(), args, { stdio: 'ignore' });
    const bus = await connectBus({ servers: [`127.0.0.1:${port}`], name: 'test' });
    return new OwnServer(child, bus, folder);
  }

  async stop(): Promise<void> {
    await this.bus.close();
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Below what Linux gives to outgoing connections: one of those could take the port before the server does. */
const PORTS = { from: 10_081, to: 20_000 };

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    const listener = createServer();
    const free = await new Promise<boolean>((resolve) => {
      listener.once('error', () => resolve(false));
      listener.listen(port, '127.0.0.1', () => resolve(true));
    });
    await new Promise((resolve) => listener.close(resolve));
    if (free) return port;
  }
}
