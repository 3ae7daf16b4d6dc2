import { describe, expect, it } from '@jest/globals';
import type { Resources } from '@skerry/contracts';
import * as fc from 'fast-check';
import { NodePacker, type PackingNode, type PlacedReplica } from './node-packer.js';
import { gpuMilliOf, WHOLE_GPU } from './node-room.js';
import { emptyNode, freeGpuMilli, type NodeState } from './node-state.js';
import { placeOnNodes } from './place-on-nodes.js';
import { PACKING_POLICIES, type PackingPolicyName } from './policies/index.js';
import { classesOf, TaskMix } from './task-classes.js';

const cpu = (cpuMillicores: number, memoryMiB = 0): Resources => ({ cpuMillicores, memoryMiB, diskMiB: 0 });
const whole = (count: number, models?: string[]): Resources => ({
  ...cpu(10),
  gpu: { count, ...(models ? { models } : {}) },
});
const share = (shareMilli: number): Resources => ({ ...cpu(10), gpu: { count: 1, shareMilli } });
const node = (name: string, gpus = 0, gpuModel = 'A'): PackingNode => ({
  name,
  cpuMillicores: 1_000,
  memoryMiB: 1_000,
  diskMiB: 1_000,
  ...(gpus > 0 ? { gpus, gpuModel } : {}),
});

const anyNeed: fc.Arbitrary<Resources> = fc.oneof(
  fc.record({ c: fc.nat(600), m: fc.nat(600) }).map(({ c, m }) => cpu(c, m)),
  fc.integer({ min: 1, max: 5 }).map((count) => whole(count)),
  fc.constantFrom('A', 'B').map((model) => whole(1, [model])),
  fc.integer({ min: 1, max: 999 }).map(share),
);
const anyNodes = fc
  .array(fc.record({ gpus: fc.nat(8), model: fc.constantFrom('A', 'B') }), { minLength: 1, maxLength: 6 })
  .map((list) => list.map(({ gpus, model }, i) => node(`n${i}`, gpus, model)));
const anyPolicy = fc.constantFrom(...Object.keys(PACKING_POLICIES).filter(isPolicy));
const arrivals = fc.array(anyNeed, { maxLength: 40 });

function isPolicy(name: string): name is PackingPolicyName {
  return Object.hasOwn(PACKING_POLICIES, name);
}
function packerOf(nodes: readonly PackingNode[], needs: readonly Resources[], policy: PackingPolicyName) {
  const setup = { nodes, expected: classesOf(needs), seed: 1 };
  return new NodePacker(nodes, PACKING_POLICIES[policy](setup));
}
function statesOf(packer: NodePacker, nodes: readonly PackingNode[]): (NodeState | undefined)[] {
  return nodes.map((_, i) => packer.free(i));
}

describe('packing on nodes', () => {
  it('never gives more of a node than it has, nor of any GPU, whatever the policy', () => {
    fc.assert(
      fc.property(anyNodes, arrivals, anyPolicy, (nodes, needs, policy) => {
        const packer = packerOf(nodes, needs, policy);
        for (const need of needs) packer.place(need);
        for (const state of statesOf(packer, nodes)) {
          expect(Math.min(state?.cpu ?? -1, state?.memory ?? -1, state?.disk ?? -1)).toBeGreaterThanOrEqual(
            0,
          );
          for (const free of state?.gpus ?? []) {
            expect(free).toBeGreaterThanOrEqual(0);
            expect(free).toBeLessThanOrEqual(WHOLE_GPU);
          }
        }
      }),
    );
  });

  it('places on one GPU for a share, on as many free ones as wanted for whole ones, of a model that will do', () => {
    fc.assert(
      fc.property(anyNodes, arrivals, anyPolicy, (nodes, needs, policy) => {
        const packer = packerOf(nodes, needs, policy);
        for (const need of needs) {
          const before = statesOf(packer, nodes);
          const placed = packer.place(need);
          if (!placed) continue;
          const { gpu } = need;
          const gpus = before[placed.node]?.gpus ?? [];
          expect(new Set(placed.gpus).size).toBe(gpu?.count ?? 0);
          for (const g of placed.gpus) expect(gpus[g]).toBeGreaterThanOrEqual(gpu?.shareMilli ?? WHOLE_GPU);
          expect(gpu?.models?.includes(nodes[placed.node]?.gpuModel ?? '') ?? true).toBe(true);
          const after = packer.free(placed.node);
          const taken =
            (before[placed.node] && freeGpuMilli(before[placed.node] ?? emptyNode(node('x')))) ?? 0;
          expect(taken - (after ? freeGpuMilli(after) : 0)).toBe(gpuMilliOf(gpu));
        }
      }),
    );
  });

  it('places whatever fits somewhere', () => {
    fc.assert(
      fc.property(anyNodes, arrivals, anyPolicy, anyNeed, (nodes, needs, policy, last) => {
        const packer = packerOf(nodes, needs, policy);
        for (const need of needs) packer.place(need);
        const explained = packer.explain(last);
        expect(packer.place(last) !== undefined).toBe(explained.some((e) => e.fits));
      }),
    );
  });

  it('is as it was when everything was given back, in any order', () => {
    fc.assert(
      fc.property(
        anyNodes,
        arrivals,
        anyPolicy,
        fc.infiniteStream(fc.nat()),
        (nodes, needs, policy, picks) => {
          const packer = packerOf(nodes, needs, policy);
          const held: PlacedReplica[] = needs.flatMap((need) => packer.place(need) ?? []);
          for (const pick of picks) {
            const [gone] = held.splice(pick % Math.max(1, held.length), 1);
            if (!gone) break;
            packer.giveBack(gone);
          }
          expect(statesOf(packer, nodes)).toEqual(nodes.map(emptyNode));
        },
      ),
    );
  });

  it('gives the same answer to the same calls, and the explained best is the one chosen', () => {
    fc.assert(
      fc.property(anyNodes, arrivals, anyPolicy, (nodes, needs, policy) => {
        const [a, b] = [packerOf(nodes, needs, policy), packerOf(nodes, needs, policy)];
        for (const need of needs) expect(a.place(need)).toEqual(b.place(need));
        if (policy === 'random') return;
        for (const need of needs) {
          const best = a.explain(need).findIndex((e) => e.fits && e.rank === 1);
          expect(a.choose(need)?.node ?? -1).toBe(best);
        }
      }),
    );
  });

  it('does not depend on the order in which nodes and holdings are told', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 48, maxLength: 48 });
    fc.assert(
      fc.property(anyNodes, anyNeed, fc.nat(5), sizes, (nodes, need, replicas, shares) => {
        const held = nodes.flatMap(({ name, gpus = 0 }, n) =>
          shares.slice(8 * n, 8 * n + gpus).map((size, g) => ({ node: name, need: share(size), gpus: [g] })),
        );
        const forth = placeOnNodes({ nodes, held, need, replicas });
        const back = placeOnNodes({ nodes: nodes.toReversed(), held: held.toReversed(), need, replicas });
        expect(back).toEqual(forth);
      }),
      { numRuns: 20 },
    );
  });
});

describe('the packing that the engine uses', () => {
  it('puts shares together, small work on small nodes, and work without GPUs where there are none', () => {
    const nodes = [node('big', 8), node('none'), node('small', 2)];
    const packer = new NodePacker(nodes);
    // It learns from what arrives: until then it only fills up.
    for (const need of [
      cpu(10),
      whole(1),
      whole(8),
      share(300),
      ...Array.from({ length: 12 }, () => share(500)),
    ]) {
      packer.learn(need);
    }
    const first = packer.place(share(500));
    expect(nodes[first?.node ?? 0]?.name).toBe('small');
    expect(packer.place(share(500))).toMatchObject({ node: first?.node, gpus: first?.gpus });
    expect(nodes[packer.place(cpu(10))?.node ?? 0]?.name).toBe('none');
    expect(nodes[packer.place(whole(8))?.node ?? 0]?.name).toBe('big');
  });

  it('without GPUs anywhere fills the fullest node that has room', () => {
    const packer = new NodePacker([node('a'), node('b'), node('c')]);
    packer.take({ node: 1, need: cpu(500), gpus: [] });
    expect(packer.place(cpu(400))?.node).toBe(1);
    expect(packer.place(cpu(400))?.node).toBe(0);
  });

  it('says of every node why it does not fit, or its score and rank', () => {
    const labels = new Map([['zone', 'x']]);
    const nodes = [
      { ...node('a', 2), labels },
      { ...node('b', 4, 'B'), labels },
      { ...node('c'), labels },
      { ...node('d', 8), cpuMillicores: 5, labels },
      node('e', 8),
      { ...node('f', 8), labels },
    ];
    const rules = [{ label: 'zone', op: 'in' as const, values: ['x'] }];
    const { explained, placed, missing } = placeOnNodes({
      nodes,
      need: { ...cpu(10), gpu: { count: 3, models: ['A'] } },
      replicas: 3,
      rules,
    });
    expect(placed.map((p) => [p.node, p.gpus])).toEqual([
      ['f', [0, 1, 2]],
      ['f', [3, 4, 5]],
    ]);
    expect(missing).toBe(1);
    expect(explained.map((e) => (e.fits ? e.rank : `${e.failed.has}; needs ${e.failed.needs}`))).toEqual([
      '2 of 2 GPUs whole; needs 3 whole GPUs of A',
      'GPUs of B; needs 3 whole GPUs of A',
      'no GPU; needs 3 whole GPUs of A',
      '5m of cpu free; needs 10m of cpu',
      'zone=(none); needs zone=x',
      '2 of 8 GPUs whole; needs 3 whole GPUs of A',
    ]);
  });

  it('places nothing on no nodes, and nothing at all when nothing is wanted', () => {
    expect(placeOnNodes({ nodes: [], need: cpu(1), replicas: 2 })).toEqual({
      placed: [],
      missing: 2,
      explained: [],
    });
    expect(placeOnNodes({ nodes: [node('a')], need: cpu(1), replicas: 0 })).toMatchObject({
      placed: [],
      missing: 0,
    });
  });
});

describe('fragmentation', () => {
  const state = (gpus: number[], free = 1_000): NodeState => ({
    ...emptyNode(node('x', 1)),
    cpu: free,
    gpus,
  });

  it('is what a task of the mix could not use, expected over the mix', () => {
    const mix = new TaskMix(classesOf([whole(1), whole(2), share(300), cpu(1)]));
    // 1 whole: 500 of no use; 2 whole: all 1500; a share of 300: none; no GPU wanted: all 1500.
    expect(mix.fragmentation(state([1_000, 500]))).toBe((500 + 1_500 + 0 + 1_500) / 4);
    expect(mix.fragmentation(state([1_000, 500], 5))).toBe(1_500);
    expect(mix.fragmentation(state([0, 0]))).toBe(0);
  });

  it('is never more than what is free, and nothing is made usable by taking cpu away', () => {
    fc.assert(
      fc.property(arrivals, fc.array(fc.nat(1_000), { maxLength: 8 }), fc.nat(1_000), (needs, gpus, free) => {
        const mix = new TaskMix(classesOf(needs));
        const lost = mix.fragmentation(state(gpus, free));
        expect(lost).toBeLessThanOrEqual(gpus.reduce((a, b) => a + b, 0) + 1e-6);
        expect(mix.fragmentation(state(gpus, free / 2))).toBeGreaterThanOrEqual(lost - 1e-6);
        expect(mix.leftByFilling(state(gpus, free / 2))).toBeGreaterThanOrEqual(
          mix.leftByFilling(state(gpus, free)) - 1e-6,
        );
      }),
    );
  });
});
