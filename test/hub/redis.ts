import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '@skerry/local';
import { ensureDebianTool } from '@skerry/nats-server';
import { until } from './nouns.js';

export interface RedisServer {
  url: string;
  /** Sends one command and gives the raw answer. */
  command(text: string): Promise<string>;
  stop(): Promise<void>;
}

/** A real redis-server on a port and in a folder of its own. */
export async function startRedis(): Promise<RedisServer> {
  const tool = await ensureDebianTool('redis-server');
  const folder = await mkdtemp(join(tmpdir(), 'skerry-redis-'));
  const [port = 0] = await freePorts(1);
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  const child = spawn(tool.path, args, { env: { ...process.env, ...tool.env }, stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const command = (text: string) => ask(port, text);
  try {
    await until('redis-server answers', async () =>
      (await command('PING').catch(() => '')).startsWith('+PONG'),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `redis://127.0.0.1:${port}/0`, command, stop };
}

function ask(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${text}\r\n`));
    socket.once('data', (bytes) => {
      resolve(bytes.toString());
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
