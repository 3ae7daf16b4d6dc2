import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, type CgroupVersion } from './cgroup-version.js';

const PERIOD_US = 100_000;
const MIN_QUOTA_US = 1_000;
const MIB = 1024 * 1024;
const NEEDED = ['cpu', 'memory'];

/** The unified cgroup tree. A group that holds processes cannot hand controllers on, except the root: so we try our own group, then the root. */
export function cgroupV2(mount = '/sys/fs/cgroup', self = '/proc/self/cgroup'): CgroupVersion {
  return {
    kind: 'v2',
    prepare: (name) => {
      const own = /^0::(.*)$/m.exec(readIfThere(self))?.[1] ?? '/';
      const base = [join(mount, own), mount].find((folder) => handOn(folder) && make(folder, 'skerry'));
      if (base === undefined) return undefined;
      const shared = join(base, 'skerry');
      return handOn(shared) && make(shared, name) && handOn(join(shared, name))
        ? [join(shared, name)]
        : undefined;
    },
    limits: ([folder = ''], { cpuMillicores, memoryMiB }) => [
      [join(folder, 'cpu.max'), `${quota(cpuMillicores)} ${PERIOD_US}`],
      [join(folder, 'memory.max'), memoryMiB === 0 ? 'max' : String(memoryMiB * MIB)],
    ],
    oomCounter: ([folder]) =>
      folder === undefined ? undefined : { file: join(folder, 'memory.events'), word: 'oom_kill' },
  };
}

function quota(cpuMillicores: number): string {
  return cpuMillicores === 0 ? 'max' : String(Math.max(MIN_QUOTA_US, (cpuMillicores * PERIOD_US) / 1_000));
}

/** Lets the children of a group use the controllers; false where the group lacks one or does not let us. */
function handOn(folder: string): boolean {
  const offered = readIfThere(join(folder, 'cgroup.controllers')).trim().split(' ');
  if (!NEEDED.every((controller) => offered.includes(controller))) return false;
  return attempt(() =>
    writeFileSync(
      join(folder, 'cgroup.subtree_control'),
      NEEDED.map((controller) => `+${controller}`).join(' '),
    ),
  );
}

function make(folder: string, name: string): boolean {
  return attempt(() => mkdirSync(join(folder, name), { recursive: true }));
}

function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
