import { compareVersions } from '@skerry/contracts';
import * as fc from 'fast-check';
import { differences, type Delivered, type DesiredWrite } from './differences.js';
import { placement, version, workload } from './examples.suite.js';
import { repair } from './repair.js';

const SITES = ['a', 'b', 'c'];
const shares = fc.dictionary(fc.constantFrom(...SITES), fc.integer({ min: 1, max: 5 }));
const decisions = fc.array(shares, { minLength: 1, maxLength: 12 });

/** `DL` with its compare-and-set. */
class Stream {
  sequence = 0;
  readonly objects = new Map<string, Delivered>();
  refused = 0;

  write({ object, expected }: DesiredWrite): void {
    if ((this.objects.get(object.site)?.sequence ?? 0) !== expected) {
      this.refused += 1;
      return;
    }
    this.sequence += 1;
    const { kind, version: v } = object;
    this.objects.set(object.site, { kind, version: v, sequence: this.sequence });
  }
}

function decide(stream: Stream, share: Record<string, number>, revision: number) {
  const input = {
    placement: placement(share, { version: version(1, revision) }),
    workload: workload(),
    delivered: stream.objects,
    mayReceive: () => true,
    at: '2026-01-01T00:00:00.000Z',
  };
  return differences(input) ?? [];
}

describe('replication, over any row of decisions', () => {
  it('leaves exactly the newest decision wanted, and writes nothing when asked again', () => {
    fc.assert(
      fc.property(decisions, (rows) => {
        const stream = new Stream();
        rows.forEach((share, i) => decide(stream, share, i + 1).forEach((w) => stream.write(w)));
        const last = rows.at(-1) ?? {};
        const wanted = [...stream.objects].filter(([, d]) => d.kind === 'Assignment').map(([s]) => s);
        expect(wanted.toSorted()).toEqual(Object.keys(last).toSorted());
        expect(decide(stream, last, rows.length)).toEqual([]);
        expect(stream.refused).toBe(0);
      }),
    );
  });

  it('ends the same when decisions arrive in any order, and never lets an older one win', () => {
    fc.assert(
      fc.property(decisions, fc.infiniteStream(fc.nat()), (rows, picks) => {
        const stream = new Stream();
        const order = rows.map((share, i) => ({ share, revision: i + 1 }));
        while (order.length > 0) {
          const [next] = order.splice((picks.next().value ?? 0) % order.length, 1);
          if (next === undefined) break;
          const before = new Map(stream.objects);
          decide(stream, next.share, next.revision).forEach((w) => stream.write(w));
          for (const [s, was] of before)
            expect(
              compareVersions(stream.objects.get(s)?.version ?? was.version, was.version),
            ).toBeGreaterThanOrEqual(0);
        }
        const last = rows.at(-1) ?? {};
        for (const s of Object.keys(last)) expect(stream.objects.get(s)?.kind).toBe('Assignment');
      }),
    );
  });

  it('repairs a site completely: after taking what is sent it lacks nothing', () => {
    const versions = fc.record({
      generation: fc.integer({ min: 1, max: 3 }),
      revision: fc.integer({ min: 0, max: 3 }),
    });
    const objects = fc.dictionary(fc.constantFrom('p.a', 'p.b', 'p.c', 'p.d'), versions);
    fc.assert(
      fc.property(objects, objects, (site, hub) => {
        const held = Object.entries(site).map(([key, v]) => ({ key, version: { term: 1, ...v } }));
        const there = new Map(
          Object.entries(hub).map(([key, v], i) => [
            key,
            { kind: 'Assignment' as const, version: { term: 1, ...v }, sequence: i + 1 },
          ]),
        );
        const { send } = repair(held, there);
        const after = new Map(held.map((h) => [h.key, h.version]));
        for (const key of send) after.set(key, there.get(key)?.version ?? version(1, 1));
        const taken = [...after].map(([key, v]) => ({ key, version: v }));
        expect(repair(taken, there).send).toEqual([]);
      }),
    );
  });
});
