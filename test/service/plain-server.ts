import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer } from '@skerry/nats-server';

/** A nats-server with JetStream and without users, on a port of its own. */
export interface PlainServer {
  url: string;
  stop(): Promise<void>;
}

/** Starts one in a folder that `stop` removes. */
export async function startPlainServer(): Promise<PlainServer> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-service-'));
  const args = ['-a', '127.0.0.1', '-p', '-1', '-js', '-sd', join(folder, 'js'), '--ports_file_dir', folder];
  const child = spawn(await findNatsServer(), args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const url = await until(() => urlIn(folder), 'nats-server has written its port');
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function urlIn(folder: string): Promise<string | undefined> {
  const file = (await readdir(folder)).find((name) => name.endsWith('.ports'));
  if (file === undefined) return undefined;
  const text = await readFile(join(folder, file), 'utf8');
  return /"nats:\/\/[^"]+"/.exec(text)?.[0].slice(1, -1);
}

const POLL_MS = 20;

/** The first answer of `look` that is neither undefined nor false; rejects after `deadlineMs`, naming what was waited for. */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
  deadlineMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  while (performance.now() < deadline) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`not within ${deadlineMs} ms: ${what}`);
}
