import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resources } from '@skerry/contracts';
import { cgroupV1 } from './cgroup-v1.js';
import { cgroupV2 } from './cgroup-v2.js';
import { readIfThere, type CgroupVersion } from './cgroup-version.js';

/**
 * Limits of replicas by cgroup, in a tree of this agent's own below the group it runs in. Where there is none the
 * kind is `none`, limits are not enforced, and the node's report says so.
 */
export class Cgroups {
  private constructor(
    private readonly version: CgroupVersion | undefined,
    private readonly parents: readonly string[],
  ) {}

  /** Tries v2, then v1. `name` tells this agent's tree from that of others. */
  static detect(name: string, versions: readonly CgroupVersion[] = [cgroupV2(), cgroupV1()]): Cgroups {
    for (const version of versions) {
      const parents = version.prepare(name);
      if (parents !== undefined) return new Cgroups(version, parents);
    }
    return new Cgroups(undefined, []);
  }

  get kind(): 'v1' | 'v2' | 'none' {
    return this.version?.kind ?? 'none';
  }

  /** Makes a group with these limits; returns its folders. A number of 0 is no limit. */
  create(id: string, resources: Resources): string[] {
    if (this.version === undefined) return [];
    const made = this.parents.map((parent) => join(parent, id));
    for (const folder of made) mkdirSync(folder, { recursive: true });
    for (const [file, text] of this.version.limits(made, resources)) writeFileSync(file, text);
    return made;
  }

  /** Moves a process, and with it all it will start, into a group. */
  enter(made: readonly string[], pid: number): void {
    for (const folder of made) writeFileSync(join(folder, 'cgroup.procs'), String(pid));
  }

  /** Processes of a group. */
  members(made: readonly string[]): number[] {
    const pids = made.flatMap((folder) => readIfThere(join(folder, 'cgroup.procs')).split('\n'));
    return [...new Set(pids.filter((p) => p !== '').map(Number))];
  }

  /** Whether the kernel killed something of the group for want of memory. */
  ranOutOfMemory(made: readonly string[]): boolean {
    const counter = this.version?.oomCounter(made);
    if (counter === undefined) return false;
    const line = readIfThere(counter.file)
      .split('\n')
      .find((l) => l.startsWith(`${counter.word} `));
    return Number(line?.split(' ')[1] ?? 0) > 0;
  }

  /** Removes a group; false while a process is still leaving it. */
  remove(made: readonly string[]): boolean {
    return made.every((folder) => removeFolder(folder));
  }

  /** Removes this agent's whole tree, once nothing is in it. */
  removeAll(): void {
    for (const parent of this.parents) removeFolder(parent);
  }
}

function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
}
