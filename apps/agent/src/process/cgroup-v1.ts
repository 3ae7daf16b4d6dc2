import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, type CgroupVersion } from './cgroup-version.js';

const PERIOD_US = 100_000;
/** Least quota that the kernel takes. */
const MIN_QUOTA_US = 1_000;
const MIB = 1024 * 1024;

/** Cgroups of the first kind: a tree for each controller; we need `cpu` and `memory`. */
export function cgroupV1(mount = '/sys/fs/cgroup', self = '/proc/self/cgroup'): CgroupVersion {
  return {
    kind: 'v1',
    prepare: (name) => {
      const own = ownGroups(readIfThere(self));
      const parents = ['cpu', 'memory'].map((controller) => {
        const base = join(mount, controller, own.get(controller) ?? '/');
        return existsSync(join(base, 'cgroup.procs')) ? join(base, 'skerry', name) : undefined;
      });
      return parents.every((p) => p !== undefined && tryMake(p))
        ? parents.filter((p) => p !== undefined)
        : undefined;
    },
    limits: ([cpu = '', memory = ''], { cpuMillicores, memoryMiB }) => [
      [join(cpu, 'cpu.cfs_period_us'), String(PERIOD_US)],
      [join(cpu, 'cpu.cfs_quota_us'), String(quota(cpuMillicores))],
      [join(memory, 'memory.limit_in_bytes'), memoryMiB === 0 ? '-1' : String(memoryMiB * MIB)],
    ],
    oomCounter: ([, memory]) =>
      memory === undefined ? undefined : { file: join(memory, 'memory.oom_control'), word: 'oom_kill' },
  };
}

function quota(cpuMillicores: number): number {
  return cpuMillicores === 0 ? -1 : Math.max(MIN_QUOTA_US, (cpuMillicores * PERIOD_US) / 1_000);
}

/** Path of this process in each controller's tree, from lines `<n>:<controller>,<controller>:<path>`. */
function ownGroups(text: string): Map<string, string> {
  const lines = text.split('\n').map((line) => line.split(':'));
  return new Map(
    lines.flatMap(([, controllers = '', path = '/']) =>
      controllers.split(',').map((c) => [c, path] as const),
    ),
  );
}

function tryMake(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    return true;
  } catch {
    return false;
  }
}
