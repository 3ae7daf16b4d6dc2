import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ensureDebianTool } from '@skerry/nats-server';
import { S3mini } from 's3mini';
import { freePort } from './own-server.suite.js';
import type { S3Access } from './s3-target.js';

const SERVERS = ['account', 'container', 'object', 'proxy'] as const;
const READY_MS = 60_000;
const LOOK_MS = 20;
/** Names in one page of a list: so few that lists have several. A thousand unless it is set. */
const PAGE = 10;
/** On a busy machine no server is given up, and a list has what was written before it. Seconds. */
const PATIENCE = {
  conn_timeout: 60,
  node_timeout: 60,
  container_update_timeout: 60,
  error_suppression_limit: 1_000_000,
};

/**
 * OpenStack Swift of the test's own: one proxy with its S3 API, and one device. It checks every signature, wants its own region, and
 * gives lists in pages of 10.
 */
export class SwiftStore {
  private said = '';
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly access: S3Access,
  ) {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.said += text));
  }

  static async start(): Promise<SwiftStore> {
    const tool = await ensureDebianTool('swift');
    const folder = await mkdtemp(join(tmpdir(), 'skerry-swift-'));
    const ports = new Set<number>();
    while (ports.size < SERVERS.length) ports.add(await freePort());
    const access = {
      endpoint: `http://127.0.0.1:${[...ports].at(-1)}`,
      region: 'eu-1',
      accessKeyId: 'skerry:backup',
      secretAccessKey: 'not-to-be-shown',
    };
    await configure(folder, access, [...ports]);
    const child = spawn(tool.path, [join(import.meta.dirname, 'swift-servers.suite.py'), folder], {
      // Compiled once, and without a look-up of names of its own, which takes a second to load.
      env: { ...process.env, ...tool.env, PYTHONDONTWRITEBYTECODE: '', EVENTLET_NO_GREENDNS: 'yes' },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    const store = new SwiftStore(child, folder, access);
    try {
      await store.ready([...ports]);
    } catch (error) {
      await store.stop();
      throw error;
    }
    return store;
  }

  async makeBucket(name: string): Promise<void> {
    const { endpoint, ...access } = this.access;
    await new S3mini({ ...access, endpoint: `${endpoint}/${name}` }).createBucket();
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve));
      this.child.stdin?.end();
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A server listens once it is loaded. */
  private async ready(ports: readonly number[]): Promise<void> {
    const deadline = performance.now() + READY_MS;
    for (const port of ports) {
      while (!(await listens(port))) {
        if (this.child.exitCode !== null || performance.now() > deadline)
          throw new Error(`Swift did not start: ${this.said}`);
        await pause(LOOK_MS);
      }
    }
  }
}

async function configure(folder: string, access: S3Access, ports: readonly number[]): Promise<void> {
  await mkdir(join(folder, 'devices/one'), { recursive: true });
  await writeFile(join(folder, 'swift.conf'), ini({ 'swift-hash': { swift_hash_path_suffix: 'test' } }));
  for (const [n, server] of SERVERS.entries()) {
    const common = { swift_dir: folder, bind_ip: '127.0.0.1', bind_port: ports[n] ?? 0, workers: 0 };
    const sections = server === 'proxy' ? proxySections(access) : storageSections(folder, server);
    await writeFile(
      join(folder, `${server}.conf`),
      ini({ DEFAULT: { ...common, ...PATIENCE }, ...sections }),
    );
  }
}

function storageSections(folder: string, server: string): Sections {
  const settings = {
    use: `egg:swift#${server}`,
    devices: join(folder, 'devices'),
    mount_check: 'false',
    fallocate_reserve: 0,
    recon_cache_path: folder,
  };
  return { 'pipeline:main': { pipeline: `${server}-server` }, [`app:${server}-server`]: settings };
}

function proxySections({ region, accessKeyId, secretAccessKey }: S3Access): Sections {
  const user = `user_${accessKeyId.replace(':', '_')}`;
  return {
    // The proxy adds what else it needs by itself.
    'pipeline:main': {
      pipeline: 'catch_errors gatekeeper cache listing_formats s3api tempauth proxy-server',
    },
    'app:proxy-server': { use: 'egg:swift#proxy', account_autocreate: 'true' },
    'filter:catch_errors': { use: 'egg:swift#catch_errors' },
    'filter:gatekeeper': { use: 'egg:swift#gatekeeper' },
    // Wanted, and not needed: nobody listens there.
    'filter:cache': { use: 'egg:swift#memcache', memcache_servers: '127.0.0.1:9' },
    'filter:listing_formats': { use: 'egg:swift#listing_formats' },
    'filter:s3api': { use: 'egg:swift#s3api', location: region, max_bucket_listing: PAGE },
    'filter:tempauth': {
      use: 'egg:swift#tempauth',
      [user]: `${secretAccessKey} .admin`,
      // Who may sign, and nothing else.
      user_skerry_guest: secretAccessKey,
    },
  };
}

type Sections = Record<string, Record<string, string | number>>;

function ini(sections: Sections): string {
  const lines = Object.entries(sections).flatMap(([name, settings]) => [
    `[${name}]`,
    ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`),
  ]);
  return `${lines.join('\n')}\n`;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
