import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { reconcile } from './reconcile.js';
import type { Action, HeldReplica, Wanted } from './reconcile-types.js';

const template = fc.constantFrom('a', 'b', 'c');
const policy = fc.constantFrom('always', 'on-failure', 'never');
const wantedArb: fc.Arbitrary<Wanted> = fc.record({
  replicas: fc.integer({ min: 0, max: 6 }),
  template,
  policy,
  backoffMs: fc.integer({ min: 10, max: 1_000 }),
  maxBackoffMs: fc.integer({ min: 1_000, max: 60_000 }),
  maxUnavailable: fc.integer({ min: 1, max: 6 }),
  healthyDeadlineMs: fc.constant(10_000),
});

/** What happens to the replicas between two decisions. */
type Weather = 'calm' | 'crash' | 'sick' | 'done';
const weatherArb = fc.array(
  fc.tuple(fc.constantFrom<Weather>('calm', 'crash', 'sick', 'done'), fc.integer({ min: 0, max: 5 })),
  { maxLength: 20 },
);

/** A node on which every step takes effect at once. */
class Node {
  replicas = new Map<number, HeldReplica>();
  /** Slots last stopped for no fault of theirs. */
  aside = new Set<number>();
  now = 0;

  decide(wanted: Wanted | undefined): Action[] {
    const held = [...this.replicas.values()];
    const { actions } = reconcile({ ...(wanted ? { wanted } : {}), held, nowMs: this.now });
    for (const action of actions) this.carryOut(action, wanted);
    return actions;
  }

  /** Stopping ends, starting runs, time goes on. */
  settle(): void {
    this.now += 60_000;
    for (const r of this.replicas.values()) {
      if (r.phase === 'starting') this.set(r, { phase: 'running' });
      const ending = { cause: this.aside.has(r.slot) ? 'set-aside' : 'stopped' } as const;
      if (r.phase === 'stopping') this.set(r, { phase: 'ended', ending });
    }
  }

  blow(weather: Weather, slot: number): void {
    const replica = this.replicas.get(slot);
    if (replica === undefined || (replica.phase !== 'running' && replica.phase !== 'starting')) return;
    if (weather === 'crash') this.set(replica, { phase: 'ended', ending: { cause: 'exited', code: 1 } });
    if (weather === 'done') this.set(replica, { phase: 'ended', ending: { cause: 'exited', code: 0 } });
    if (weather === 'sick') this.set(replica, { phase: 'unhealthy' });
  }

  private carryOut(action: Action, wanted: Wanted | undefined): void {
    const replica = this.replicas.get(action.slot);
    const { now } = this;
    switch (action.kind) {
      case 'start':
        this.replicas.set(action.slot, {
          slot: action.slot,
          template: wanted?.template ?? '',
          phase: 'starting',
          sinceMs: now,
          startedAtMs: now,
          streak: action.fresh ? 0 : (replica?.streak ?? 0),
        });
        return;
      case 'forget':
        this.replicas.delete(action.slot);
        return;
      case 'stop':
        if (action.why === 'not-wanted' || action.why === 'outdated') this.aside.add(action.slot);
        else this.aside.delete(action.slot);
        if (replica) this.set(replica, { phase: 'stopping' });
        return;
      case 'settle':
        if (replica) this.set(replica, { phase: action.phase });
        return;
      case 'backoff':
        if (replica)
          this.set(replica, { phase: 'backoff', retryAtMs: action.retryAtMs, streak: action.streak });
    }
  }

  private set(replica: HeldReplica, change: Partial<HeldReplica>): void {
    this.replicas.set(replica.slot, { ...replica, sinceMs: this.now, ...change });
  }
}

function run(node: Node, wanted: Wanted | undefined, rounds: number): void {
  for (let n = 0; n < rounds; n++) {
    node.decide(wanted);
    node.settle();
  }
}

/** A node after a history of wishes and of bad weather. */
const historyArb = fc.array(fc.tuple(fc.option(wantedArb, { nil: undefined }), weatherArb), { maxLength: 5 });
function after(history: [Wanted | undefined, [Weather, number][]][]): Node {
  const node = new Node();
  for (const [wanted, weather] of history) {
    run(node, wanted, 2);
    for (const [kind, slot] of weather) node.blow(kind, slot);
  }
  return node;
}

describe('reconcile', () => {
  it('ends at what is wanted from any history, and then rests', () => {
    fc.assert(
      fc.property(historyArb, wantedArb, (history, wanted) => {
        const node = after(history);
        run(node, wanted, 40);
        const replicas = [...node.replicas.values()];
        expect(replicas.map((r) => r.slot).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: wanted.replicas }, (_, slot) => slot),
        );
        // A version that failed for good goes no further.
        const bad = replicas.some(
          (r) => r.template === wanted.template && ['failed', 'unhealthy'].includes(r.phase),
        );
        expect(bad || replicas.every((r) => r.template === wanted.template)).toBe(true);
        const rests =
          wanted.policy === 'never'
            ? ['running', 'completed', 'failed', 'unhealthy']
            : ['running', 'completed'];
        expect(replicas.filter((r) => !rests.includes(r.phase))).toEqual([]);
        expect(node.decide(wanted)).toEqual([]);
      }),
    );
  });

  it('leaves nothing when nothing is wanted', () => {
    fc.assert(
      fc.property(historyArb, (history) => {
        const node = after(history);
        run(node, undefined, 4);
        expect(node.replicas.size).toBe(0);
      }),
    );
  });

  it('never stops a running replica of the wanted template, nor more outdated ones than may be down', () => {
    fc.assert(
      fc.property(historyArb, wantedArb, (history, wanted) => {
        const node = after(history);
        for (let n = 0; n < 10; n++) {
          const before = new Map(node.replicas);
          const stopped = node.decide(wanted).flatMap((a) => (a.kind === 'stop' ? [before.get(a.slot)] : []));
          const inWanted = stopped.filter((r) => r?.phase === 'running' && r.slot < wanted.replicas);
          expect(inWanted.filter((r) => r?.template === wanted.template)).toEqual([]);
          const running = [...before.values()].filter(
            (r) => r.phase === 'running' && r.slot < wanted.replicas,
          );
          const completed = [...before.values()].filter(
            (r) => r.phase === 'completed' && r.slot < wanted.replicas,
          );
          const down = wanted.replicas - running.length - completed.length + inWanted.length;
          expect(inWanted.length === 0 || down <= wanted.maxUnavailable).toBe(true);
          node.settle();
        }
      }),
    );
  });

  it('names at most one action a slot, whatever order the replicas come in', () => {
    fc.assert(
      fc.property(historyArb, wantedArb, (history, wanted) => {
        const held = [...after(history).replicas.values()];
        const { actions } = reconcile({ wanted, held, nowMs: 0 });
        expect(new Set(actions.map((a) => a.slot)).size).toBe(actions.length);
        expect(reconcile({ wanted, held: held.toReversed(), nowMs: 0 }).actions).toEqual(actions);
      }),
    );
  });
});
