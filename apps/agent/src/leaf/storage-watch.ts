import { statfs } from 'node:fs/promises';
import type { Log } from '../log.js';

const LOOK_MS = 2_000;
/** The outbox has to have failed for this long: a server that restarts is back sooner. */
const FAILING_MS = 10_000;
/** Less room than this would soon be used up again. */
const ROOM_BYTES = 32 * 1024 * 1024;
const PAUSE_MS = 60_000;

export interface StorageWatchOptions {
  dir: string;
  /** How long the outbox has taken nothing, though its server is connected; 0 when it does. */
  failingForMs: () => number;
  restart: () => Promise<void>;
  log: Log;
}

/**
 * Restarts the site's server when it stores nothing although its disk has room: a store that failed once, on a full
 * disk, refuses everything until then (seen with nats-server 2.15.1). Not more than once a minute.
 */
export function watchStorage(options: StorageWatchOptions): { stop: () => void } {
  let restartedAt = -Infinity;
  let looking = false;
  const look = async () => {
    const due = performance.now() - restartedAt > PAUSE_MS && options.failingForMs() > FAILING_MS;
    if (looking || !due || !(await hasRoom(options.dir))) return;
    looking = true;
    restartedAt = performance.now();
    options.log.warn('the nats-server of this site stores nothing though there is room: it is restarted');
    await options.restart().finally(() => (looking = false));
  };
  const timer = setInterval(() => void look(), LOOK_MS).unref();
  return { stop: () => clearInterval(timer) };
}

async function hasRoom(dir: string): Promise<boolean> {
  const stats = await statfs(dir).catch(() => undefined);
  return stats !== undefined && stats.bavail * stats.bsize >= ROOM_BYTES;
}
