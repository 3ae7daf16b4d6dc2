import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureDebianTool } from '@skerry/nats-server';
import { Redis } from 'ioredis';
import { readModelSuite } from './read-model.suite.js';
import { RedisReadModel } from './redis-read-model.store.js';

const READY_MS = 15_000;
/** A download of redis-server, where the machine has none. */
const DOWNLOAD_MS = 120_000;

let folder: string;
let server: ChildProcess;
let socket: string;
let models = 0;

// By a socket file: no port of the machine is taken.
beforeAll(async () => {
  const tool = await ensureDebianTool('redis-server');
  folder = await mkdtemp(join(tmpdir(), 'skerry-redis-'));
  socket = join(folder, 'redis.sock');
  const args = ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--appendonly', 'no'];
  server = spawn(tool.path, args, { env: { ...process.env, ...tool.env }, stdio: 'ignore' });
  const probe = new Redis(socket, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  probe.on('error', () => undefined);
  const timer = setTimeout(() => probe.disconnect(), READY_MS);
  await probe.ping();
  clearTimeout(timer);
  probe.disconnect();
}, DOWNLOAD_MS);

afterAll(async () => {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await ended;
  await rm(folder, { recursive: true, force: true });
});

describe('the read model in Redis', () => {
  readModelSuite(async () => {
    models += 1;
    return new RedisReadModel(socket, `test${models}:`, () => undefined);
  });

  it('takes what another version wrote in another shape for absent', async () => {
    const raw = new Redis(socket);
    await raw.mset('old:status:shop.web', '{"kind":"Other"}', 'old:status:shop.bad', '{');
    await raw.zadd('old:keys', 0, 'shop.web', 0, 'shop.bad');
    const model = new RedisReadModel(socket, 'old:', () => undefined);
    expect(await model.get('shop.web')).toBeUndefined();
    expect(await model.page({ bytes: 1_000 })).toEqual({ items: [] });
    await model.close();
    raw.disconnect();
  });

  it('says that Redis cannot be reached without repeating its password, and fails in time', async () => {
    const said: string[] = [];
    const model = new RedisReadModel('redis://user:hunter2@127.0.0.1:1/0', 'x:', (why) => said.push(why));
    await expect(model.get('shop.web')).rejects.toThrow(/max retries/i);
    expect(said).toEqual(['Redis cannot be reached: ECONNREFUSED']);
    await model.close();
  });
});
