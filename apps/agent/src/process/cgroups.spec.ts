import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { cgroupV1 } from './cgroup-v1.js';
import { cgroupV2 } from './cgroup-v2.js';
import { Cgroups } from './cgroups.js';

// A folder stands in for the kernel's: what is written where is the same, and it has no rules of its own.
describe('limits by cgroup', () => {
  let mount: string;
  const self = () => join(mount, 'self');
  const read = async (...parts: string[]) => await readFile(join(mount, ...parts), 'utf8');
  const resources = { cpuMillicores: 250, memoryMiB: 64, diskMiB: 0 };

  beforeEach(async () => {
    mount = await mkdtemp(join(tmpdir(), 'skerry-cgroup-'));
  });
  afterEach(async () => {
    await rm(mount, { recursive: true, force: true });
  });

  it('of the second kind are written as a share of 100 ms and as bytes', async () => {
    await writeFile(self(), '0::/\n');
    for (const folder of ['', 'skerry', 'skerry/s1']) {
      await mkdir(join(mount, folder), { recursive: true });
      await writeFile(join(mount, folder, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
    }
    const cgroups = Cgroups.detect('s1', [cgroupV2(mount, self())]);
    expect(cgroups.kind).toBe('v2');
    const made = cgroups.create('shop.web.s1.0', resources);
    cgroups.enter(made, 4711);
    expect(await read('cgroup.subtree_control')).toBe('+cpu +memory');
    expect(await read('skerry', 's1', 'shop.web.s1.0', 'cpu.max')).toBe('25000 100000');
    expect(await read('skerry', 's1', 'shop.web.s1.0', 'memory.max')).toBe(String(64 * 1024 * 1024));
    expect(cgroups.members(made)).toEqual([4711]);
    await writeFile(join(made[0] ?? '', 'memory.events'), 'low 0\noom 1\noom_kill 1\n');
    expect(cgroups.ranOutOfMemory(made)).toBe(true);
  });

  it('of the first kind are written in a tree for each controller, below the group of the agent', async () => {
    await writeFile(self(), '4:memory:/mine\n1:cpu,cpuacct:/\n');
    for (const folder of ['cpu', 'memory/mine']) {
      await mkdir(join(mount, folder), { recursive: true });
      await writeFile(join(mount, folder, 'cgroup.procs'), '');
    }
    const cgroups = Cgroups.detect('s1', [cgroupV2(mount, self()), cgroupV1(mount, self())]);
    expect(cgroups.kind).toBe('v1');
    const made = cgroups.create('shop.web.s1.0', { ...resources, memoryMiB: 0 });
    expect(await read('cpu', 'skerry', 's1', 'shop.web.s1.0', 'cpu.cfs_quota_us')).toBe('25000');
    expect(await read('memory', 'mine', 'skerry', 's1', 'shop.web.s1.0', 'memory.limit_in_bytes')).toBe('-1');
    cgroups.enter(made, 12);
    expect(cgroups.members(made)).toEqual([12]);
  });

  it('are none where the kernel offers no controllers', () => {
    const cgroups = Cgroups.detect('s1', [cgroupV2(mount, self()), cgroupV1(mount, self())]);
    expect(cgroups.kind).toBe('none');
    expect(cgroups.create('shop.web.s1.0', resources)).toEqual([]);
    expect(cgroups.members([])).toEqual([]);
  });
});
