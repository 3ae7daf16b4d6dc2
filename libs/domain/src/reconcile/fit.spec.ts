import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Given, type Need } from './fit.js';

const node = {
  allocatable: { cpuMillicores: 1_000, memoryMiB: 512, diskMiB: 100 },
  drivers: ['process', 'mock'] as const,
};
const need = (given: Partial<Need> = {}): Need => ({
  replicas: 1,
  each: { cpuMillicores: 100, memoryMiB: 64, diskMiB: 0 },
  driver: 'process',
  fixedPorts: [],
  ...given,
});

/** As a node judges `wanted` that has taken on `taken` already. */
function firstMisfit(wanted: Need, on: ConstructorParameters<typeof Given>[0], taken: readonly Need[]) {
  const given = new Given(on);
  for (const [i, each] of taken.entries()) given.set(`taken ${i}`, each);
  return given.misfit('wanted', wanted);
}

describe('whether an assignment fits on a node', () => {
  it('takes it when everything it needs is free to the last unit', () => {
    expect(firstMisfit(need({ replicas: 8 }), node, [])).toBeUndefined();
    expect(firstMisfit(need({ replicas: 9 }), node, [])).toMatchObject({
      check: 'capacity',
      has: '512 MiB of memory free of 512 MiB',
      needs: '576 MiB',
    });
  });

  it('counts what the node has taken on already', () => {
    expect(firstMisfit(need({ replicas: 5 }), node, [need({ replicas: 4 })])).toMatchObject({
      has: '256 MiB of memory free of 512 MiB',
      needs: '320 MiB',
    });
  });

  it('refuses a driver that is not there', () => {
    expect(firstMisfit(need(), { ...node, drivers: ['mock'] }, [])).toEqual({
      check: 'driver',
      ok: false,
      has: 'mock',
      needs: 'process',
    });
  });

  it('gives a port once', () => {
    const fixed = need({ fixedPorts: ['tcp/80'] });
    expect(firstMisfit(fixed, node, [])).toBeUndefined();
    expect(firstMisfit(fixed, node, [fixed])).toMatchObject({ check: 'ports', needs: 'tcp/80' });
    expect(firstMisfit(need({ replicas: 2, fixedPorts: ['tcp/80'] }), node, [])).toMatchObject({
      check: 'ports',
    });
    expect(firstMisfit(fixed, node, [need({ replicas: 0, fixedPorts: ['tcp/80'] })])).toBeUndefined();
  });

  it('takes an assignment of no replicas anywhere', () => {
    expect(
      firstMisfit(need({ replicas: 0 }), { ...node, drivers: [] }, [need({ replicas: 99 })]),
    ).toBeUndefined();
  });

  it('does not count what it takes itself, nor what was given back', () => {
    const given = new Given(node);
    given.set('web', need({ replicas: 8 }));
    expect(given.misfit('web', need({ replicas: 8 }))).toBeUndefined();
    expect(given.misfit('other', need())).toMatchObject({ has: '0 MiB of memory free of 512 MiB' });
    given.set('web', undefined);
    expect(given.misfit('other', need({ replicas: 8 }))).toBeUndefined();
  });

  const gpuNode = { allocatable: { ...node.allocatable, gpus: 2, gpuModel: 'A' }, drivers: node.drivers };
  const gpuNeed = (replicas: number, gpu: { count: number; shareMilli?: number; models?: string[] }) =>
    need({ replicas, each: { cpuMillicores: 1, memoryMiB: 1, diskMiB: 0, gpu } });

  it('gives whole GPUs, and shares of one each, and says what is short', () => {
    const given = new Given(gpuNode);
    given.set('half', gpuNeed(1, { count: 1, shareMilli: 500 }));
    given.set('third', gpuNeed(1, { count: 1, shareMilli: 300 }));
    expect(given.gpusOf('half', 0)).toEqual(given.gpusOf('third', 0));
    expect(given.misfit('two', gpuNeed(1, { count: 2 }))).toMatchObject({
      check: 'capacity',
      has: '1 of 2 GPUs whole',
      needs: '2 whole GPUs',
    });
    expect(given.misfit('shares', gpuNeed(2, { count: 1, shareMilli: 600 }))).toMatchObject({
      has: 'at most 400 thousandths free on one of 2 GPUs after 1 of 2 replicas',
      needs: '600 thousandths of one GPU for each of 2 replicas',
    });
    expect(given.misfit('other', gpuNeed(1, { count: 1, models: ['B'] }))).toMatchObject({
      has: 'GPUs of A',
    });
    expect(given.misfit('one', gpuNeed(1, { count: 1 }))).toBeUndefined();
    expect(given.gpusOf('one', 0)).toEqual([]);
  });

  it('leaves a replica on its GPU when others come and go, and when it is asked for again', () => {
    const given = new Given(gpuNode);
    const share = gpuNeed(1, { count: 1, shareMilli: 600 });
    given.set('a', share);
    given.set('b', share);
    given.set('a', undefined);
    given.set('b', gpuNeed(2, { count: 1, shareMilli: 600 }));
    expect(given.gpusOf('b', 0)).toEqual([1]);
    expect(given.gpusOf('b', 1)).toEqual([0]);
    // A further run of a cron waits for the GPU of an earlier one.
    expect(given.gpusOf('b', 2)).toEqual([1]);
    given.set('d', share);
    expect(given.gpusOf('d', 0)).toBeUndefined();
    const again = new Given(gpuNode);
    again.set('b', share, new Map([[0, [1]]]));
    again.set('c', share, new Map([[0, [1]]]));
    expect([again.gpusOf('b', 0), again.gpusOf('c', 0)]).toEqual([[1], [0]]);
  });

  it('never gives more of a GPU than there is, and looking changes nothing', () => {
    const gpus = fc.oneof(
      fc.integer({ min: 1, max: 3 }).map((count) => ({ count })),
      fc.integer({ min: 1, max: 999 }).map((shareMilli) => ({ count: 1, shareMilli })),
    );
    const steps = fc.array(
      fc.record({
        key: fc.constantFrom('a', 'b', 'c', 'd'),
        gpu: gpus,
        replicas: fc.integer({ min: 0, max: 3 }),
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const given = new Given({ allocatable: { ...node.allocatable, gpus: 4 }, drivers: node.drivers });
        const held = new Map<string, Need>();
        const plan = () =>
          [...held].map(([key, { replicas }]) => slots(replicas).map((s) => given.gpusOf(key, s)));
        for (const { key, gpu, replicas } of list) {
          const wanted = gpuNeed(replicas, gpu);
          const before = plan();
          const misfit = given.misfit(key, wanted);
          expect(plan()).toEqual(before);
          if (misfit) continue;
          given.set(key, wanted);
          held.set(key, wanted);
          const taken = [0, 0, 0, 0];
          for (const [name, { each, replicas: n }] of held) {
            for (const slot of slots(n)) {
              for (const g of given.gpusOf(name, slot) ?? [])
                taken[g] = (taken[g] ?? 0) + (each.gpu?.shareMilli ?? 1_000);
            }
          }
          expect(Math.max(...taken)).toBeLessThanOrEqual(1_000);
        }
      }),
    );
  });
});

const slots = (n: number) => Array.from({ length: n }, (_, i) => i);
