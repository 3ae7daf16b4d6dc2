import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Ledger } from './ledger.js';

const need = (cpuMillicores: number, memoryMiB = 0) => ({ cpuMillicores, memoryMiB, diskMiB: 0 });
const capacity = (nodes: number, cpuMillicores: number) => ({
  shapes: [{ nodes, cpuMillicores, memoryMiB: 1_000, diskMiB: 0 }],
  drivers: [],
});

describe('Ledger', () => {
  it('counts what fits node by node', () => {
    const ledger = new Ledger();
    ledger.setCapacity('a', capacity(3, 1_000));
    expect(ledger.fitting('a', need(600), 10)).toBe(3);
    expect(ledger.fitting('a', need(500), 10)).toBe(6);
    expect(ledger.fitting('a', need(500), 4)).toBe(4);
    expect(ledger.fitting('a', need(0), 7)).toBe(7);
    expect(ledger.fitting('nowhere', need(1), 7)).toBe(0);
  });

  it('counts what a workload holds as free for that workload', () => {
    const ledger = new Ledger();
    ledger.setCapacity('a', capacity(2, 1_000));
    ledger.hold('p.x', need(1_000), [{ site: 'a', replicas: 2 }]);
    expect(ledger.fitting('a', need(500), 10)).toBe(0);
    expect(ledger.fitting('a', need(500), 10, 'p.x')).toBe(4);
  });

  it('keeps what a site holds when its capacity changes, and says that it is too full', () => {
    const ledger = new Ledger();
    ledger.setCapacity('a', capacity(2, 1_000));
    ledger.hold('p.x', need(600), [{ site: 'a', replicas: 2 }]);
    expect(ledger.overfull('a')).toBe(false);
    expect(ledger.setCapacity('a', capacity(1, 1_000))).toBe(true);
    expect(ledger.overfull('a')).toBe(true);
    expect(ledger.fitting('a', need(600), 10, 'p.x')).toBe(1);
    expect(ledger.replicasAt('a')).toBe(2);
    expect(ledger.setCapacity('a', capacity(1, 1_000))).toBe(false);
  });

  it('puts back what was detached exactly where it was', () => {
    const ledger = new Ledger();
    ledger.setCapacity('a', capacity(2, 1_000));
    ledger.hold('p.gone', need(700), [{ site: 'a', replicas: 1 }]);
    ledger.hold('p.x', need(600), [{ site: 'a', replicas: 1 }]);
    ledger.release('p.gone');
    // p.x sits in the second node; packed anew it would sit in the first.
    const detached = ledger.detach('p.x');
    ledger.hold('p.x', need(100), [{ site: 'a', replicas: 5 }]);
    ledger.attach('p.x', detached);
    ledger.hold('p.y', need(500), [{ site: 'a', replicas: 2 }]);
    expect(ledger.fitting('a', need(400), 10)).toBe(1);
    expect(ledger.replicasAt('a')).toBe(3);
  });

  it('bounds the nodes of a digest that claims too many', () => {
    const ledger = new Ledger();
    ledger.setCapacity('a', capacity(Number.MAX_SAFE_INTEGER, 1));
    expect(ledger.fitting('a', need(1), 1_000_000)).toBe(10_000);
  });

  it('is empty again when everything was given back, in any order', () => {
    const holds = fc.array(
      fc.record({ cpu: fc.integer({ min: 1, max: 900 }), n: fc.integer({ min: 1, max: 6 }) }),
      {
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(holds, fc.boolean(), (list, backwards) => {
        const ledger = new Ledger();
        ledger.setCapacity('a', capacity(3, 2_000));
        const before = [ledger.fitting('a', need(7), 10_000), ledger.use('a', need(1)).taken];
        const keys = list.map(({ cpu, n }, i) => {
          ledger.hold(`p.${i}`, need(cpu), [{ site: 'a', replicas: n }]);
          return `p.${i}`;
        });
        for (const key of backwards ? keys.toReversed() : keys) expect(ledger.release(key)).toEqual(['a']);
        expect([ledger.fitting('a', need(7), 10_000), ledger.use('a', need(1)).taken]).toEqual(before);
      }),
    );
  });
});
