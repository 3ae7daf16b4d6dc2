import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Replica } from '@skerry/contracts';
import { gpusOf } from './gpus.js';
import { NodeAgent } from './node-agent.js';
import { capacityOf } from './node-facts.js';
import { workFolder } from './process/work-folder.js';
import { assignment, eventually, QUIET, SiteUnderTest, tombstone } from './site-under-test.suite.js';

describe('GPUs of a machine', () => {
  let folder: string;
  const nothing = { allocatable: {} };
  const card = async (address: string, text: string) => {
    await mkdir(join(folder, address), { recursive: true });
    await writeFile(join(folder, address, 'information'), text);
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-gpus-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('are those that site.json names, else the environment, else the driver', async () => {
    await card('0000:81:00.0', 'Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 100\n');
    const named = { allocatable: { gpus: 2, gpuModel: 'H100' } };
    expect(gpusOf(named, 'T4=3', folder)).toEqual({ model: 'H100', devices: [0, 1] });
    expect(gpusOf({ allocatable: { gpus: 0 } }, 'T4=3', folder).devices).toEqual([]);
    expect(gpusOf(nothing, 'T4=3', folder)).toEqual({ model: 'T4', devices: [0, 1, 2] });
    expect(gpusOf(nothing, '1', folder)).toEqual({ model: undefined, devices: [0] });
    expect(gpusOf(nothing, undefined, folder)).toEqual({ model: 'NVIDIA-A100-SXM4-40GB', devices: [0] });
    expect(gpusOf(nothing, undefined, join(folder, 'nowhere')).devices).toEqual([]);
  });

  it('of several models are those of the most frequent one, by their own numbers', async () => {
    await card('0000:01:00.0', 'Model: Tesla T4\n');
    await card('0000:41:00.0', 'Model: NVIDIA A10\n');
    await card('0000:81:00.0', 'Model: NVIDIA A10\n');
    expect(gpusOf(nothing, undefined, folder)).toEqual({ model: 'NVIDIA-A10', devices: [1, 2] });
  });

  it('cannot be told in a way that nobody understands', () => {
    for (const said of ['many', 'A100=', '=2', 'A 100=2', '65', 'A100=2,T4=1']) {
      expect(() => gpusOf(nothing, said, folder)).toThrow('MODEL=COUNT');
    }
  });
});

describe('replicas with GPUs', () => {
  let site: SiteUnderTest;
  let agent: NodeAgent;
  const replicas = (name: string): Replica[] => agent.supervisor.report(`shop.${name}`)?.replicas ?? [];
  const running = async (name: string, count = 1) =>
    await eventually(`${name} runs`, () => {
      const found = replicas(name).filter((r) => r.phase === 'running');
      return found.length === count && found;
    });
  /** The environment that a process really has. */
  const environment = async (pid = 0) => {
    // Empty for the moment in which the gate becomes the command.
    const text = await eventually('its environment', async () => {
      const found = await readFile(`/proc/${pid}/environ`, 'utf8');
      return found === '' ? undefined : found;
    });
    const lines = text.split('\0');
    return Object.fromEntries(lines.map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
  };
  const with_ = (gpu: object | undefined, more: object = {}) => ({
    resources: { cpuMillicores: 0, memoryMiB: 0, ...(gpu ? { gpu } : {}) },
    ...more,
  });

  beforeEach(async () => {
    const allocatable = { cpuMillicores: 1_000, memoryMiB: 1_000, diskMiB: 0, gpus: 3, gpuModel: 'A100' };
    site = await SiteUnderTest.make({ allocatable });
    agent = await NodeAgent.start(site.dir, { log: QUIET });
  });
  afterEach(async () => {
    await agent.stopReplicas({ forget: true });
    await agent.close();
    await site.close();
  });

  it('are told which, whole ones and shares; one without sees none', async () => {
    expect(capacityOf(agent.room, agent.driverNames).shapes[0]).toMatchObject({ gpus: 3, gpuModel: 'A100' });
    await agent.take(assignment('whole', with_({ count: 2 })));
    await agent.take(assignment('shares', with_({ count: 1, shareMilli: 400 }, { replicas: 2 })));
    await agent.take(assignment('plain', with_(undefined, { run: { env: { CUDA_VISIBLE_DEVICES: '0' } } })));
    const [whole] = await running('whole');
    expect(await environment(whole?.pid)).toMatchObject({
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      CUDA_VISIBLE_DEVICES: '0,1',
      NVIDIA_VISIBLE_DEVICES: '0,1',
    });
    for (const { pid } of await running('shares', 2)) {
      const env = await environment(pid);
      expect(env).toMatchObject({ CUDA_VISIBLE_DEVICES: '2', SKERRY_GPU_SHARE_MILLI: '400' });
    }
    const [plain] = await running('plain');
    expect(await environment(plain?.pid)).toMatchObject({
      CUDA_VISIBLE_DEVICES: '',
      NVIDIA_VISIBLE_DEVICES: 'void',
    });
  });

  it('are refused with what is short, and taken up when it is free', async () => {
    await agent.take(assignment('first', with_({ count: 2 })));
    await running('first');
    await agent.take(assignment('second', with_({ count: 2 })));
    await agent.take(assignment('third', with_({ count: 1, models: ['H100'] })));
    const refused = async (name: string) =>
      await eventually(`${name} is refused`, () => agent.supervisor.report(`shop.${name}`)?.refusal);
    expect(await refused('second')).toMatchObject({
      check: 'capacity',
      has: '1 of 3 GPUs whole',
      needs: '2 whole GPUs',
    });
    expect(await refused('third')).toMatchObject({ has: 'GPUs of A100', needs: '1 whole GPU of H100' });
    await agent.take(tombstone('first'));
    await running('second');
  });

  it('keep theirs when the agent starts anew, and nobody else gets them', async () => {
    await agent.take(assignment('gone', with_({ count: 1 })));
    await running('gone');
    await agent.take(assignment('stays', with_({ count: 2 })));
    const [before] = await running('stays');
    const env = await environment(before?.pid);
    await agent.take(tombstone('gone'));
    await eventually('it is gone', () => agent.supervisor.report('shop.gone')?.state === 'absent');
    await agent.store.settled();
    await agent.close();
    agent = await NodeAgent.start(site.dir, { log: QUIET });
    expect((await running('stays'))[0]?.pid).toBe(before?.pid);
    await agent.take(assignment('new', with_({ count: 1 })));
    const [after] = await running('new');
    expect(env['CUDA_VISIBLE_DEVICES']).toBe('1,2');
    expect((await environment(after?.pid))['CUDA_VISIBLE_DEVICES']).toBe('0');
  });

  it('wait for a GPU that a replica on its way out still holds', async () => {
    const slow = {
      command: ['sh', '-c', 'trap "sleep 1; exit 0" TERM; touch ready; while :; do sleep 0.05; done'],
      stop: { graceMs: 5_000 },
    };
    await agent.take(assignment('slow', with_({ count: 3 }, { run: slow })));
    const [first] = await running('slow');
    const ready = join(workFolder(join(site.dir, 'work'), first?.id ?? '').cwd, 'ready');
    await eventually('it minds the signal', () => existsSync(ready));
    await agent.take(tombstone('slow'));
    await agent.take(assignment('next', with_({ count: 3 })));
    await eventually('it waits', () => replicas('next')[0]?.message?.includes('still held by') === true);
    await running('next');
    expect(replicas('slow').every((r) => r.phase !== 'stopping')).toBe(true);
  });
});
