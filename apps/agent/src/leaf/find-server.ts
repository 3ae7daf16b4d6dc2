import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** Sourcing through a durable consumer came with this version. */
export const MIN_SERVER = [2, 14] as const;
const VERSION_MS = 5_000;
const run = promisify(execFile);

/** A nats-server that is new enough: from the environment, then from PATH; undefined when there is none. Throws for one named explicitly that will not do. */
export async function findServer(explicit?: string): Promise<string | undefined> {
  const named = explicit ?? process.env['NATS_SERVER'];
  if (named !== undefined && named !== '') {
    const version = await serverVersion(named);
    if (version !== undefined && isNewEnough(version)) return named;
    throw new Error(
      `${named} is ${version === undefined ? 'no nats-server' : `nats-server ${version}`}: ${WANTED}`,
    );
  }
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'nats-server');
    if (folder === '' || !existsSync(path)) continue;
    const version = await serverVersion(path);
    if (version !== undefined && isNewEnough(version)) return path;
  }
  return undefined;
}

export const WANTED = `needed is ${MIN_SERVER.join('.')} or newer`;

/** The version a binary says it has, such as `2.15.1`. */
export async function serverVersion(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['-v'], { timeout: VERSION_MS });
    return /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > MIN_SERVER[0] || (major === MIN_SERVER[0] && minor >= MIN_SERVER[1]);
}
