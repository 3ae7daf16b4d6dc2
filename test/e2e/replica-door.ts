import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CloudUnderTest } from './cloud-under-test.js';

/** Lines of a log that say what became of an agent. */
const LOG_LINES = 40;
const REPEATABLE = ['GET', 'PUT'];

interface Asked {
  site: string;
  /** Below `/v1/data/`. */
  path: string;
  init?: RequestInit | undefined;
  /** Where a port of the site's loopback is reached from here. */
  address?: (port: number) => string;
}

/**
 * As a replica of a site asks its agent, each time on a connection of its own: one of before may have gone with a killed agent. What may
 * be asked twice is, once, when the network failed and the agent did not: connections from one network to another are handed on by
 * rules that lose one now and then.
 */
export async function fetchAsReplica(under: CloudUnderTest, asked: Asked): Promise<Response> {
  const before = under.cloud.supervisor.pid(`agent-${asked.site}`);
  try {
    return await ask(under, asked);
  } catch (error) {
    const trouble = await troubleOf(under, { asked, error, before });
    if (before !== trouble.now || !REPEATABLE.includes(asked.init?.method ?? 'GET')) throw trouble.error;
    console.warn(trouble.error.message);
    return await ask(under, asked);
  }
}

async function ask(
  under: CloudUnderTest,
  { site, path, init = {}, address = (port) => `127.0.0.1:${port}` }: Asked,
): Promise<Response> {
  const { port, token } = await doorOf(under, site);
  const headers = { authorization: `Bearer ${token}`, connection: 'close' };
  return await fetch(`http://${address(port)}/v1/data/${path}`, { ...init, headers });
}

/** What went wrong, with what became of the agent. */
async function troubleOf(
  { cloud }: CloudUnderTest,
  { asked, error, before }: { asked: Asked; error: unknown; before: number | undefined },
): Promise<{ error: Error; now: number | undefined }> {
  const agent = `agent-${asked.site}`;
  const now = cloud.supervisor.pid(agent);
  const text = await readFile(join(cloud.paths.logs, `${agent}.log`), 'utf8').catch(() => '');
  const why = error instanceof Error ? (error.cause ?? error) : error;
  const said = text.split('\n').slice(-LOG_LINES).join('\n');
  const what = `${asked.init?.method ?? 'GET'} ${asked.path} at ${asked.site}: ${String(why)}`;
  const message = `${what}; its agent was process ${before} and is ${now}. Its log:\n${said}`;
  return { error: new Error(message, { cause: error }), now };
}

async function doorOf({ cloud }: CloudUnderTest, site: string): Promise<{ port: number; token: string }> {
  const state = join(cloud.paths.site(site), 'state');
  const { port } = JSON.parse(await readFile(join(state, 'replica-endpoint.json'), 'utf8'));
  const files = (await readdir(join(state, 'replicas'))).filter((file) => file.endsWith('.json'));
  const texts = await Promise.all(files.map((file) => readFile(join(state, 'replicas', file), 'utf8')));
  const found = texts.map((text) => JSON.parse(text)).find((record) => record.asks !== undefined);
  return { port, token: found.asks };
}
