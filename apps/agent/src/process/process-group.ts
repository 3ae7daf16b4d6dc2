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

/**
 * The number of a group or a session cannot be given to a new process while it has members. So either its leader is our
 * keeper, or there is no process of that number: then what has this group, or session, can only be ours.
 */
export function groupIsOurs(live: Live): boolean {
  if (live.keeper.bootId !== bootId()) return false;
  const leader = processStat(live.keeper.pid);
  return leader === undefined || leader.startTicks === live.keeper.startTicks;
}

/** Whether the replica's command or its keeper runs. */
export function isRunning(live: Live): boolean {
  return isAlive(live.main) || isAlive(live.keeper);
}

/** Sends a signal to single processes; those that are gone, or have become somebody else's who may not be signalled, do not matter. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!isGone(error) && errorCode(error) !== 'EPERM') throw error;
    }
  }
}

function isGone(error: unknown): boolean {
  return errorCode(error) === 'ESRCH';
}
