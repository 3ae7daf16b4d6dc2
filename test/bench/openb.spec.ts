import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readTrace } from './openb.js';

describe('a trace in the openb format', () => {
  it('is read by the names of its columns, and what is no count is named', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'skerry-openb-'));
    try {
      const nodes = join(dir, 'nodes.csv');
      const pods = join(dir, 'pods.csv');
      await writeFile(nodes, 'sn,cpu_milli,memory_mib,gpu,model\na,32000,1024,0,\nb,96000,2048,8,G2\n');
      await writeFile(
        pods,
        'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\np,1,2,0,0,\nq,3,4,1,460,\nr,5,6,8,1000,G2|G3\n',
      );
      expect(await readTrace(nodes, pods)).toEqual({
        nodes: [
          { name: 'a', cpuMillicores: 32_000, memoryMiB: 1_024, diskMiB: 0 },
          { name: 'b', cpuMillicores: 96_000, memoryMiB: 2_048, diskMiB: 0, gpus: 8, gpuModel: 'G2' },
        ],
        tasks: [
          { cpuMillicores: 1, memoryMiB: 2, diskMiB: 0 },
          { cpuMillicores: 3, memoryMiB: 4, diskMiB: 0, gpu: { count: 1, shareMilli: 460 } },
          { cpuMillicores: 5, memoryMiB: 6, diskMiB: 0, gpu: { count: 8, models: ['G2', 'G3'] } },
        ],
      });
      expect(await readTrace(nodes, join(dir, 'nowhere.csv'))).toBeUndefined();
      await writeFile(nodes, 'sn,cpu_milli,memory_mib,gpu,model\na,-1,1024,0,\n');
      await expect(readTrace(nodes, pods)).rejects.toThrow('line 2: cpu_milli is not a count: -1');
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
