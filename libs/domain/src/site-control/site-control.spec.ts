import { describe, expect, it } from '@jest/globals';
import { LIMITS, type NodePhase, type Replica } from '@skerry/contracts';
import * as fc from 'fast-check';
import { mergeReplicas, mergeRuns } from './merge-reports.js';
import { beginNodes, hearingOf, tickNodes, type NodesHeard } from './node-liveness.js';
import { turnOf } from './rollout-turn.js';
import { capacityOfNodes } from './site-capacity.js';
import { countedNodes, siteStanding } from './site-standing.js';
import { leaseOf, leaseOverAt, NODE_TIMINGS } from './timings.js';

describe('nodes of a site', () => {
  const run = (
    beats: (now: number) => Record<string, number>,
    until: number,
    connected: (now: number) => boolean = () => true,
  ) => {
    let state: NodesHeard = beginNodes(0);
    for (let now = 0; now <= until; now += 250) {
      const heard = new Map(Object.entries(beats(now)));
      state = tickNodes(state, { now, connected: connected(now), members: ['a', 'b'], heard });
    }
    return [hearingOf(state, 'a'), hearingOf(state, 'b')];
  };

  it('are suspect when two beats are missed, and lost after three seconds', () => {
    expect(run((now) => ({ a: now, b: now }), 2_000)).toEqual(['ready', 'ready']);
    expect(run((now) => ({ a: now, b: Math.min(now, 2_000) }), 3_250)).toEqual(['ready', 'suspect']);
    expect(run((now) => ({ a: now, b: Math.min(now, 2_000) }), 5_000)).toEqual(['ready', 'lost']);
  });

  it('are lost when they were never heard', () => {
    expect(run((now) => ({ a: now }), 3_000)).toEqual(['ready', 'lost']);
  });

  it('are not held to have been silent while the one who looks was deaf', () => {
    const deaf = (now: number) => now < 2_000 || now > 20_000;
    expect(run((now) => ({ a: deaf(now) ? now : 2_000, b: Math.min(now, 1_900) }), 23_000, deaf)).toEqual([
      'ready',
      'suspect',
    ]);
    expect(run((now) => ({ a: deaf(now) ? now : 2_000, b: Math.min(now, 1_900) }), 25_000, deaf)[1]).toBe(
      'lost',
    );
  });

  it('that were lost are given nothing until they were heard for a while', () => {
    const back = (now: number): Record<string, number> => ({
      a: now,
      b: now < 2_000 || now > 8_000 ? now : 2_000,
    });
    expect(run(back, 8_500)).toEqual(['ready', 'suspect']);
    expect(run(back, 9_500)).toEqual(['ready', 'ready']);
  });
});

describe('capacity of a site', () => {
  const room = fc.record({
    cpuMillicores: fc.integer({ min: 0, max: 10_000 }),
    memoryMiB: fc.integer({ min: 0, max: 10_000 }),
    diskMiB: fc.integer({ min: 0, max: 100 }),
    gpus: fc.integer({ min: 0, max: 4 }),
    gpuModel: fc.constantFrom('A', 'B'),
  });

  it('is told in few classes, and never more than there is', () => {
    fc.assert(
      fc.property(fc.array(room, { maxLength: 200 }), (rooms) => {
        const nodes = rooms.map((r, i) => ({ name: `n${i}`, room: r, drivers: ['mock' as const] }));
        const { shapes } = capacityOfNodes(nodes);
        expect(shapes.length).toBeLessThanOrEqual(LIMITS.shapesPerDigest);
        expect(shapes.reduce((n, s) => n + s.nodes, 0)).toBe(rooms.length);
        for (const cpu of [1, 2_500, 9_000]) {
          const told = shapes.filter((s) => s.cpuMillicores >= cpu).reduce((n, s) => n + s.nodes, 0);
          expect(told).toBeLessThanOrEqual(rooms.filter((r) => r.cpuMillicores >= cpu).length);
        }
        for (const model of ['A', 'B']) {
          const gpus = shapes.reduce((n, s) => n + (s.gpuModel === model ? s.nodes * (s.gpus ?? 0) : 0), 0);
          const there = rooms.reduce((n, r) => n + (r.gpuModel === model ? r.gpus : 0), 0);
          expect(gpus).toBeLessThanOrEqual(there);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('what is said of a site as a whole', () => {
  it.each<[string, NodePhase[], string | undefined]>([
    ['one node takes new work', ['draining', 'ready'], undefined],
    ['one may be back in a moment', ['draining', 'suspect'], undefined],
    ['its only node is cordoned', ['cordoned'], 'cordoned'],
    ['its only node is to be emptied', ['draining'], 'draining'],
    ['all that are left are to be emptied', ['draining', 'lost', 'removed'], 'draining'],
    ['something is to stay', ['draining', 'cordoned'], 'cordoned'],
    ['nothing is left', ['lost', 'removed'], undefined],
  ])('%s', (_what, phases, standing) => {
    expect(siteStanding(phases)).toBe(standing);
  });

  it('what is to leave keeps its room until it has gone, and what takes nothing adds none', () => {
    const counted = (nodes: Record<string, NodePhase>) => [...countedNodes(new Map(Object.entries(nodes)))];
    expect(counted({ a: 'draining' })).toEqual(['a']);
    expect(counted({ a: 'draining', b: 'ready', c: 'cordoned' })).toEqual(['b']);
    expect(counted({ a: 'draining', b: 'cordoned', c: 'lost' })).toEqual(['b']);
  });
});

describe('the report of a site', () => {
  const version = { term: 1, generation: 1, revision: 1 };
  const replica = (slot: number, node: string, phase: Replica['phase'] = 'running'): Replica => ({
    id: `web-${slot}`,
    slot,
    node,
    phase,
    version,
    addresses: {},
    restarts: 0,
    since: '2026-01-01T00:00:00.000Z',
  });
  const report = (...replicas: Replica[]) => ({ state: 'accepted' as const, version, replicas });

  it('has one replica a slot: the running one, and of two the one where it belongs', () => {
    const reports = new Map([
      ['a', report(replica(0, 'a', 'stopping'), replica(1, 'a'))],
      ['b', report(replica(0, 'b', 'starting'), replica(1, 'b'))],
    ]);
    const merged = mergeReplicas({ allotment: { slots: ['b', 'b'] }, reports, lost: new Set() });
    expect(merged.map((r) => r.node)).toEqual(['b', 'b']);
  });

  it('leaves out what a lost node ran, but for what had ended for good', () => {
    const reports = new Map([['a', report(replica(0, 'a'), replica(1, 'a', 'completed'))]]);
    const merged = mergeReplicas({ allotment: { slots: ['a', 'a'] }, reports, lost: new Set(['a']) });
    expect(merged.map((r) => r.slot)).toEqual([1]);
  });

  it('says when a cron ran last and will next anywhere', () => {
    const runs = [
      { last: '2026-01-01T00:00:00Z', next: '2026-01-03T00:00:00Z' },
      { last: '2026-01-02T00:00:00Z' },
    ];
    expect(mergeRuns(runs.map((r) => ({ ...report(), runs: r })))).toEqual({
      last: '2026-01-02T00:00:00Z',
      next: '2026-01-03T00:00:00Z',
    });
    expect(mergeRuns([report()])).toBeUndefined();
  });
});

describe('an update over several nodes', () => {
  it('never has more down than the workload allows, and ends', () => {
    const model = fc.record({
      slots: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 9 }),
      max: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(model, ({ slots, max }) => {
        const state = slots.map((node) => ({ node, outdated: true, fine: true }));
        let turn: string | undefined;
        for (let step = 0; state.some((s) => s.outdated || !s.fine); step += 1) {
          expect(step).toBeLessThan(100);
          turn = turnOf(state, turn, max);
          for (const node of ['a', 'b', 'c']) {
            if (turn !== undefined && turn !== node) continue;
            const mine = state.filter((s) => s.node === node);
            // As a node does it: within what may be down, counting its own.
            let room = max - mine.filter((s) => !s.fine).length;
            for (const s of mine)
              if (s.outdated && s.fine && room-- > 0) Object.assign(s, { outdated: false, fine: false });
          }
          expect(state.filter((s) => !s.fine).length).toBeLessThanOrEqual(max);
          const down = state.find((s) => !s.fine);
          if (down) down.fine = true;
        }
      }),
    );
  });
});

describe('the lease of a singleton', () => {
  it('is over at its node before another may have it, though clocks run at different rates', () => {
    const rate = fc.double({ min: 0.99, max: 1.01, noNaN: true });
    fc.assert(
      fc.property(rate, rate, fc.integer({ min: 0, max: 5_000 }), (node, controller, onTheWayMs) => {
        // True times: sent at 0, answered after it was on its way.
        const endsAt = leaseOf(0).untilMs / node;
        const givenAt = onTheWayMs + (leaseOverAt(0) - 0) / controller;
        expect(endsAt).toBeLessThan(givenAt);
      }),
    );
    expect(leaseOf(0).stopAtMs).toBeGreaterThan(2 * NODE_TIMINGS.lostAfterMs - 1);
  });
});
