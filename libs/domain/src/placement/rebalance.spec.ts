import { describe, expect, it } from '@jest/globals';
import type { Share, WorkloadType } from '@skerry/contracts';
import {
  cloud,
  fourSites,
  NOW,
  PLACES,
  request,
  site,
  workload,
  type WorkloadExample,
} from './example-cloud.suite.js';
import { lint } from './lint.js';
import { place } from './place.js';
import { rebalance, rebalanceInTurns, type RebalanceState, type Running } from './rebalance.js';
import type { SiteFacts } from './types.js';

const HERE = { demandShare: 0, latencyMs: 0, measured: false, costPerMonth: 0, why: 'test' };

interface Example extends WorkloadExample {
  at: Record<string, number>;
  type?: WorkloadType;
}

/** A cloud in which workloads hold what they are said to, wherever that is. */
function state(sites: SiteFacts[], examples: Example[]): RebalanceState {
  const snapshot = cloud(sites);
  const workloads = examples.map(({ at, type, ...example }): Running => {
    const made = workload(example);
    const asked = { ...made, spec: { ...made.spec, type: type ?? 'service' } };
    const shares = Object.entries(at).map(([name, replicas]): Share => ({ ...HERE, site: name, replicas }));
    snapshot.ledger.hold(`default.${asked.name}`, asked.spec.resources, shares);
    return { workload: asked, placement: { state: 'placed', shares }, refusals: new Map() };
  });
  return { workloads, snapshot, now: NOW };
}

const TOKYO = [{ ...PLACES.tokyo, weight: 1 }];
const BERLIN = [{ ...PLACES.berlin, weight: 1 }];
const held = ({ snapshot, workloads }: RebalanceState) =>
  workloads.map((r) => snapshot.ledger.heldBy(`default.${r.workload.name}`));

describe('rebalance', () => {
  it('moves a workload to its users when that gains more than the move costs', () => {
    const { changes, moved, before, after } = rebalance(
      state(fourSites(), [{ users: TOKYO, at: { 'eu-de': 1 } }]),
      { maxMoves: 5 },
    );
    expect(changes).toHaveLength(1);
    expect(changes[0]?.moves).toEqual([
      { site: 'eu-de', before: 1, after: 0 },
      { site: 'jp-tok', before: 0, after: 1 },
    ]);
    expect(moved).toBe(1);
    expect(after.latencyMs ?? 0).toBeLessThan((before.latencyMs ?? 0) - 100);
    // What the move itself costs is in the gain and not in the figures.
    expect(before.objective - after.objective).toBeCloseTo((changes[0]?.gain ?? 0) + 10, 6);
  });

  it('moves nothing when everything is where it would be placed', () => {
    const first = state(fourSites(), [{ users: TOKYO, at: {} }]);
    const [running] = first.workloads;
    const decision = place(request(running?.workload ?? workload()), first.snapshot);
    const at = Object.fromEntries(decision.shares.map((s) => [s.site, s.replicas]));
    const settled = rebalance(state(fourSites(), [{ users: TOKYO, at }]), { maxMoves: 5 });
    expect(settled.changes).toEqual([]);
    expect(settled.moved).toBe(0);
    expect(settled.after).toEqual(settled.before);
  });

  it('moves nothing when a move gains less than it costs', () => {
    // 10 km more are a fraction of a millisecond; a move has to gain ten.
    const near = [site({ name: 'a', lat: 50, lon: 8 }), site({ name: 'b', lat: 50, lon: 8.2 })];
    const users = [{ lat: 50, lon: 8.2, weight: 1 }];
    expect(rebalance(state(near, [{ users, at: { a: 1 } }]), { maxMoves: 5 }).changes).toEqual([]);
  });

  it('makes the best move for its cost first when the budget does not pay for all', () => {
    const { changes } = rebalance(
      state(fourSites(), [
        { name: 'far', users: BERLIN, at: { 'us-east': 1 } },
        { name: 'farther', users: TOKYO, at: { 'eu-de': 1 } },
      ]),
      { maxMoves: 1 },
    );
    expect(changes.map((c) => c.workload.name)).toEqual(['farther']);
  });

  it('goes a part of the way when the budget ends in the middle of a workload', () => {
    const roomy = fourSites().map((s) => site({ ...s.site.location, name: s.name, cpuMillicores: 64_000 }));
    const { changes, moved } = rebalance(
      state(roomy, [
        { users: TOKYO, at: { 'eu-de': 12 }, rules: { replicas: 12, traffic: { headroom: 1 } } },
      ]),
      { maxMoves: 3 },
    );
    expect(moved).toBe(3);
    expect(changes[0]?.decision.shares.reduce((sum, s) => sum + s.replicas, 0)).toBe(12);
    expect(changes[0]?.moves).toContainEqual({ site: 'eu-de', before: 12, after: 9 });
  });

  it('gives a room that one workload leaves to another that gains by it', () => {
    const small = [
      site({ name: 'tokyo', ...PLACES.tokyo, cpuMillicores: 1_000 }),
      site({ name: 'berlin', ...PLACES.berlin, cpuMillicores: 1_000 }),
      site({ name: 'osaka', ...PLACES.washington, cpuMillicores: 1_000 }),
    ];
    const swapped = state(small, [
      { name: 'a', users: TOKYO, at: { berlin: 1 } },
      { name: 'b', users: BERLIN, at: { osaka: 1 } },
    ]);
    const { changes } = rebalance(swapped, { maxMoves: 9 });
    expect(changes.map((c) => [c.workload.name, c.decision.shares.map((s) => s.site)])).toEqual([
      ['a', ['tokyo']],
      ['b', ['berlin']],
    ]);
  });

  it.each(['singleton', 'daemon', 'job', 'cron'] as const)('leaves a %s alone', (type) => {
    const { changes, leftAlone, before } = rebalance(
      state(fourSites(), [{ users: TOKYO, at: { 'eu-de': 1 }, type }]),
      { maxMoves: 5 },
    );
    expect({ changes, leftAlone, replicas: before.replicas }).toEqual({
      changes: [],
      leftAlone: 1,
      replicas: 1,
    });
  });

  it('leaves alone what is partial, stopped, or still being replaced', () => {
    const all = state(fourSites(), [
      { name: 'partial', users: TOKYO, at: { 'eu-de': 1 } },
      { name: 'stopped', users: TOKYO, at: { 'eu-de': 1 } },
      { name: 'moving', users: TOKYO, at: { 'eu-de': 1 } },
    ]);
    const [partial, stopped, moving] = all.workloads;
    if (!partial || !stopped || !moving) throw new Error('three workloads');
    const shares = moving.placement.shares.map((s): Share => ({ ...s, until: 'replaced' }));
    const workloads: Running[] = [
      { ...partial, placement: { ...partial.placement, state: 'partial' } },
      { ...stopped, workload: { ...stopped.workload, stopped: true } },
      { ...moving, placement: { ...moving.placement, shares } },
    ];
    expect(rebalance({ ...all, workloads }, { maxMoves: 9 })).toMatchObject({ changes: [], leftAlone: 3 });
  });

  it('keeps what another workload asks of it by affinity', () => {
    const pair = state(fourSites(), [
      { name: 'web', users: TOKYO, at: { 'eu-de': 1 } },
      { name: 'cache', at: { 'eu-de': 1 }, rules: { affinity: [{ workload: 'web' }] } },
    ]);
    expect(rebalance(pair, { maxMoves: 9 }).changes).toEqual([]);
  });

  it('keeps to what the quota leaves the project, over all its workloads', () => {
    const priced = [
      site({ name: 'cheap', ...PLACES.berlin, cpuCoreMonth: 0 }),
      site({ name: 'dear', ...PLACES.tokyo, cpuCoreMonth: 20 }),
    ];
    const both = state(priced, [
      { name: 'a', users: TOKYO, at: { cheap: 1 } },
      { name: 'b', users: TOKYO, at: { cheap: 1 } },
    ]);
    const limited = { ...both, workloads: both.workloads.map((r) => ({ ...r, projectBudgetLeft: 25 })) };
    expect(rebalance(both, { maxMoves: 9 }).changes).toHaveLength(2);
    expect(rebalance(limited, { maxMoves: 9 }).changes).toHaveLength(1);
  });

  it('leaves the ledger as it was found, also when it is not brought to its end', () => {
    const made = state(fourSites(), [
      { name: 'a', users: TOKYO, at: { 'eu-de': 1 } },
      { name: 'b', users: BERLIN, at: { 'jp-tok': 1 } },
    ]);
    const before = held(made);
    const turns = rebalanceInTurns(made, { maxMoves: 9 });
    for (let n = 0; n < 3; n += 1) turns.next();
    expect(held(made)).not.toEqual(before);
    turns.return({ changes: [], moved: 0, leftAlone: 0, before: NONE, after: NONE });
    expect(held(made)).toEqual(before);
    const { changes } = rebalance(made, { maxMoves: 9 });
    expect(changes).toHaveLength(2);
    expect(held(made)).toEqual(before);
  });

  it('says decisions that pass every check with all changes made', () => {
    const made = state(fourSites(), [
      { name: 'a', users: TOKYO, at: { 'eu-de': 1 } },
      { name: 'b', users: BERLIN, at: { 'jp-tok': 1 } },
    ]);
    const { changes } = rebalance(made, { maxMoves: 9 });
    for (const { workload: w, decision } of changes) {
      made.snapshot.ledger.hold(`default.${w.name}`, w.spec.resources, decision.shares);
    }
    for (const { workload: w, decision } of changes) {
      const present = new Map(decision.shares.map((s) => [s.site, s.replicas]));
      expect(lint(decision, request(w, { present }), made.snapshot)).toEqual([]);
    }
  });
});

const NONE = { replicas: 0, costPerMonth: 0, objective: 0 };
