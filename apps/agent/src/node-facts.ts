import { arch, availableParallelism, platform, release, totalmem } from 'node:os';
import { statfsSync } from 'node:fs';
import type { CapacityDigest, DriverName } from '@skerry/contracts';
import type { Room } from '@skerry/domain';
import type { Gpus } from './gpus.js';
import type { SiteFile } from './site-file.js';

/** Shares of the machine that replicas may use; the rest is for the system, the leaf server and the agent. */
const CPU_SHARE = 0.9;
const MEMORY_SHARE = 0.8;
const DISK_SHARE = 0.8;
const MIB = 1024 * 1024;

/** What replicas may use of this machine: as `site.json` says, else by shares of what there is. */
export function allocatableOf(site: SiteFile, dir: string, gpus: Gpus): Room {
  const { cpuMillicores, memoryMiB, diskMiB } = site.allocatable;
  return {
    cpuMillicores: cpuMillicores ?? Math.floor(availableParallelism() * 1_000 * CPU_SHARE),
    memoryMiB: memoryMiB ?? Math.floor((totalmem() / MIB) * MEMORY_SHARE),
    diskMiB: diskMiB ?? freeDiskMiB(dir),
    ...(gpus.devices.length > 0 ? { gpus: gpus.devices.length } : {}),
    ...(gpus.model === undefined ? {} : { gpuModel: gpus.model }),
  };
}

/** One node, one class. */
export function capacityOf(room: Room, drivers: readonly DriverName[]): CapacityDigest {
  return { shapes: [{ nodes: 1, ...room }], drivers: [...drivers] };
}

export const OS = `${platform()} ${release()}`.slice(0, 64);
export const ARCH = arch();

function freeDiskMiB(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return Math.floor(((bavail * bsize) / MIB) * DISK_SHARE);
}
