import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager, type StreamSource } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { SiteLab } from '../e2e/site-lab.js';
import { endable } from './failover-ends.js';

const LEAF_PORT = 14_222;
const CONNECT_MS = 20_000;
const MIB = 1024 * 1024;

/**
 * The same way without Skerry: a stream at one site's server, sourced by one at the hub, which another site's server sources; file
 * storage, every message on the disk before it is acknowledged. No TLS, one account: what it costs at the least.
 */
export class RawPath {
  private constructor(
    private readonly from: NatsConnection,
    private readonly to: NatsConnection,
    private readonly cleanUp: () => Promise<void>,
  ) {}

  /** On the machines of a lab that has these sites. */
  static async start(
    lab: SiteLab,
    natsServer: string,
    [from, to]: readonly [string, string],
  ): Promise<RawPath> {
    const folder = await mkdtemp(join(tmpdir(), 'skerry-raw-'));
    const running: ChildProcess[] = [];
    const cleanUp = endable(async () => {
      for (const child of running) child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    });
    const start = async (name: string, config: string, wrap: (argv: string[]) => string[]) => {
      const file = join(folder, `${name}.conf`);
      await writeFile(file, `${config}\n${storage(name, folder)}`);
      const [command = '', ...args] = wrap([natsServer, '-c', file]);
      running.push(spawn(command, args, { stdio: 'ignore' }));
    };
    const [client, leaf] = [await freePort(lab.hubAddress), await freePort(lab.hubAddress)];
    const listen = `${lab.hubAddress}:${client}`;
    await start(
      'hub',
      `listen: "${listen}"\nleafnodes { listen: "${lab.hubAddress}:${leaf}" }`,
      (argv) => argv,
    );
    for (const site of [from, to]) {
      const remote = `nats-leaf://${lab.hubAddress}:${leaf}`;
      const config = `listen: "127.0.0.1:${LEAF_PORT}"\nleafnodes { remotes: [{ url: "${remote}" }] }`;
      await start(site, config, (argv) => lab.command(site, argv));
    }
    const at = async (servers: string) => await connected(servers);
    const hub = await at(listen);
    const [a, b] = [await at(lab.deskAddress(from, LEAF_PORT)), await at(lab.deskAddress(to, LEAF_PORT))];
    await addStream(a, { name: 'RAWA', subjects: ['raw.>'] });
    await addStream(hub, { name: 'RAWHUB', sources: [source('RAWA', from)] });
    await addStream(b, { name: 'RAWB', sources: [source('RAWHUB', 'hub')] });
    await hub.close();
    return new RawPath(a, b, cleanUp);
  }

  /** Calls with each subject as it is readable at the other site. */
  async watch(onSubject: (subject: string, at: number) => void): Promise<void> {
    const consumer = await jetstream(this.to).consumers.get('RAWB');
    await consumer.consume({ callback: (m) => onSubject(m.subject, performance.now()) });
  }

  /** Resolves when the first site's server has it on its disk. */
  async publish(subject: string, value: string): Promise<void> {
    await jetstream(this.from).publish(subject, value);
  }

  async end(): Promise<void> {
    await this.from.close();
    await this.to.close();
    await this.cleanUp();
  }
}

function storage(name: string, folder: string): string {
  return `server_name: ${name}\njetstream { store_dir: "${join(folder, name)}", domain: ${name}, sync_interval: always, max_file_store: 1G }`;
}

function source(name: string, domain: string): StreamSource {
  return { name, external: { api: `$JS.${domain}.API`, deliver: '' } };
}

async function addStream(
  nc: NatsConnection,
  config: { name: string; subjects?: string[]; sources?: StreamSource[] },
): Promise<void> {
  const deadline = performance.now() + CONNECT_MS;
  const manager = await jetstreamManager(nc);
  for (;;) {
    try {
      await manager.streams.add({ ...config, max_bytes: 256 * MIB });
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((again) => setTimeout(again, 100));
    }
  }
}

async function connected(servers: string): Promise<NatsConnection> {
  const deadline = performance.now() + CONNECT_MS;
  for (;;) {
    try {
      return await connect({ servers, noAsyncTraces: true });
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((again) => setTimeout(again, 50));
    }
  }
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, host, listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
