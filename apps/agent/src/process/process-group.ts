import { readdirSync } from 'node:fs';
import type { Live } from '../drivers/live.js';
import { errorCode } from '../files/error-code.js';
import { bootId, isAlive, processStat } from './process-identity.js';

/** Sends a signal to a replica's process group, unless its number belongs to somebody else by now. */
export function signalGroup(live: Live, signal: NodeJS.Signals): void {
  if (!groupIsOurs(live)) return;
  try {
    process.kill(-live.keeper.pid, signal);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Whether anything of the group runs, the keeper apart. */
export function groupMembers(live: Live): number[] {
  if (!groupIsOurs(live)) return [];
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === live.keeper.pid) return [];
    const stat = processStat(pid);
    return stat?.group === live.keeper.pid && stat.state !== 'Z' ? [pid] : [];
  });
}

/**
 * A group's number cannot be given to a new process while the group has members. So either its leader is our
 * keeper, or there is no process of that number: then what has this group can only be ours.
 */
function groupIsOurs(live: Live): boolean {
  if (live.keeper.bootId !== bootId()) return false;
  const leader = processStat(live.keeper.pid);
  return leader === undefined || leader.startTicks === live.keeper.startTicks;
}

/** Whether the replica's command or its keeper runs. */
export function isRunning(live: Live): boolean {
  return isAlive(live.main) || isAlive(live.keeper);
}

/** Sends a signal to single processes; those that are gone do not matter. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

function isGone(error: unknown): boolean {
  return errorCode(error) === 'ESRCH';
}
