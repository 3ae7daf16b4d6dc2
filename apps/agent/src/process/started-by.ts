import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Live } from '../drivers/live.js';
import { groupIsOurs } from './process-group.js';
import { bootId, processStat, type ProcessStat } from './process-identity.js';

/** Variable that all has in its environment that a replica starts, unless it takes it away. */
export const MARK = 'SKERRY_MARK';

/** What it says: of no other replica on this machine, whatever clouds there are. Not a secret. */
export function markOf(workRoot: string, id: string): string {
  return createHash('sha256').update(`${workRoot}\n${id}`).digest('hex').slice(0, 32);
}

type Stats = Map<number, ProcessStat>;

/**
 * What a replica has started and what of that runs: all of its group and session; what has left them (setsid) and has its
 * mark, where no cgroup tells; what was found before; and what those have started. Only processes that began after its keeper
 * count, so that a number that is used again is never taken for one of them. Looks at /proc, which takes some 20 µs a process.
 */
export class StartedBy {
  /** Found once, with when it began: it counts without its mark and without its parents from then on. */
  private readonly known = new Map<number, number>();
  private readonly strangers = new Map<number, number>();
  private readonly mark: string;

  constructor(
    private readonly live: Live,
    mark: string,
  ) {
    this.mark = `\0${MARK}=${mark}\0`;
  }

  /** Numbers of those that run, the keeper apart. */
  members(): number[] {
    const { keeper, main } = this.live;
    if (keeper.bootId !== bootId()) return [];
    const stats = this.look();
    const ours = groupIsOurs(this.live);
    const found = new Set<number>();
    for (const [pid, stat] of stats) {
      const near = ours && (stat.group === keeper.pid || stat.session === keeper.pid);
      const isMain = pid === main.pid && stat.startTicks === main.startTicks;
      if (near || isMain || this.known.get(pid) === stat.startTicks || this.isMarked(pid, stat))
        found.add(pid);
    }
    addChildren(found, stats);
    for (const pid of found) this.known.set(pid, stats.get(pid)?.startTicks ?? 0);
    return [...found];
  }

  /** Those of them that a signal to the group does not reach. */
  apart(): number[] {
    return this.members().filter((pid) => processStat(pid)?.group !== this.live.keeper.pid);
  }

  /** What began after the keeper and is not dead. */
  private look(): Stats {
    const { keeper } = this.live;
    const stats: Stats = new Map();
    for (const entry of readdirSync('/proc')) {
      const pid = Number(entry);
      if (!Number.isInteger(pid) || pid === keeper.pid) continue;
      const stat = processStat(pid);
      if (stat !== undefined && stat.state !== 'Z' && stat.startTicks >= keeper.startTicks)
        stats.set(pid, stat);
    }
    return stats;
  }

  private isMarked(pid: number, { startTicks }: ProcessStat): boolean {
    if (this.live.cgroups.length > 0 || this.strangers.get(pid) === startTicks) return false;
    const environment = environmentOf(pid);
    if (`\0${environment}`.includes(this.mark)) return true;
    // Empty also while it becomes another program.
    if (environment !== '') this.strangers.set(pid, startTicks);
    return false;
  }
}

function addChildren(found: Set<number>, stats: Stats): void {
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const [pid, { parent }] of stats) if (found.has(parent)) found.add(pid);
  }
}

/** As it was when the process became what it is; empty when it may not be read. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}
