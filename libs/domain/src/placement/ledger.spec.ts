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

  const gpuNeed = (count: number, shareMilli?: number, models?: string[]) => ({
    ...need(10),
    gpu: { count, ...(shareMilli === undefined ? {} : { shareMilli }), ...(models ? { models } : {}) },
  });
  const gpuSite = (...gpus: number[]) => ({
    shapes: gpus.map((n) => ({
      nodes: 1,
      cpuMillicores: 10_000,
      memoryMiB: 1_000,
      diskMiB: 0,
      ...(n > 0 ? { gpus: n, gpuModel: n > 4 ? 'big' : 'small' } : {}),
    })),
    drivers: [],
  });

  it('counts whole GPUs of one node and shares of one GPU, never over two', () => {
    const ledger = new Ledger();
    ledger.setCapacity('a', gpuSite(2, 8));
    expect(ledger.fitting('a', gpuNeed(1), 100)).toBe(10);
    expect(ledger.fitting('a', gpuNeed(3), 100)).toBe(2);
    expect(ledger.fitting('a', gpuNeed(9), 100)).toBe(0);
    expect(ledger.fitting('a', gpuNeed(1, 400), 100)).toBe(20);
    expect(ledger.fitting('a', gpuNeed(1, undefined, ['small']), 100)).toBe(2);
    expect(ledger.fitting('a', gpuNeed(1, undefined, ['other']), 100)).toBe(0);
    expect(ledger.fitting('a', gpuNeed(1, 1), 100, 'p.none')).toBe(100);
  });

  it('keeps large holes whole: work without GPUs off GPU nodes, small on small, shares together', () => {
    const ledger = new Ledger();
    ledger.setCapacity('a', gpuSite(8, 2, 0));
    ledger.hold('p.plain', need(5_000), [{ site: 'a', replicas: 2 }]);
    ledger.hold('p.one', gpuNeed(1), [{ site: 'a', replicas: 1 }]);
    for (const name of ['x', 'y', 'z']) {
      ledger.hold(`p.${name}`, gpuNeed(1, 300), [{ site: 'a', replicas: 1 }]);
    }
    // All of these left the node of eight alone, and the shares are on one GPU.
    expect(ledger.fitting('a', gpuNeed(8), 10)).toBe(1);
    expect(ledger.fitting('a', { ...need(10_000), gpu: { count: 8 } }, 10)).toBe(1);
    expect(ledger.fitting('a', gpuNeed(1), 10)).toBe(8);
    expect(ledger.fitting('a', gpuNeed(1, 100), 100, 'p.one')).toBe(91);
  });

  it('says how much of the GPUs is taken', () => {
    const ledger = new Ledger();
    ledger.setCapacity('a', gpuSite(4));
    ledger.hold('p.x', gpuNeed(1, 500), [{ site: 'a', replicas: 2 }]);
    expect(ledger.use('a', gpuNeed(2)).taken[3]).toBe(0.25);
    expect(ledger.use('a', gpuNeed(2)).perReplica[3]).toBe(0.5);
    expect(ledger.use('a', gpuNeed(2), 'p.x').taken[3]).toBe(0);
  });

  it('notices a changed number or model of GPUs', () => {
    const ledger = new Ledger();
    ledger.setCapacity('a', gpuSite(4));
    expect(ledger.setCapacity('a', gpuSite(4))).toBe(false);
    expect(ledger.setCapacity('a', gpuSite(3))).toBe(true);
    expect(ledger.setCapacity('a', gpuSite(5))).toBe(true);
  });

  const needs = fc.oneof(
    fc.integer({ min: 1, max: 900 }).map((cpu) => need(cpu, 1)),
    fc.integer({ min: 1, max: 4 }).map((count) => gpuNeed(count)),
    fc.integer({ min: 1, max: 999 }).map((share) => gpuNeed(1, share)),
  );
  const holdings = fc.array(fc.record({ need: needs, replicas: fc.integer({ min: 1, max: 6 }) }), {
    maxLength: 20,
  });
  const someSite = fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 6 });
  const probes = [need(50), need(500), gpuNeed(1), gpuNeed(2), gpuNeed(4), gpuNeed(1, 130), gpuNeed(1, 700)];
  const look = (ledger: Ledger) => probes.map((probe) => ledger.fitting('a', probe, 10_000));

  it('takes what it says fits, to the last replica, and no more', () => {
    fc.assert(
      fc.property(someSite, holdings, needs, (gpus, list, wanted) => {
        const ledger = new Ledger();
        ledger.setCapacity('a', gpuSite(...gpus));
        for (const [i, { need: each, replicas }] of list.entries()) {
          const room = ledger.fitting('a', each, replicas);
          ledger.hold(`p.${i}`, each, room > 0 ? [{ site: 'a', replicas: room }] : []);
        }
        expect(ledger.overfull('a')).toBe(false);
        const room = ledger.fitting('a', wanted, 10_000);
        ledger.hold('p.last', wanted, [{ site: 'a', replicas: room }]);
        expect(ledger.overfull('a')).toBe(false);
        expect(ledger.fitting('a', wanted, 1)).toBe(0);
        ledger.hold('p.last', wanted, [{ site: 'a', replicas: room + 1 }]);
        expect(ledger.overfull('a')).toBe(true);
      }),
    );
  });

  it('gives back exactly what it took, GPU by GPU, in any order and however often it looked', () => {
    fc.assert(
      fc.property(someSite, holdings, fc.nat(), (gpus, list, pick) => {
        const ledger = new Ledger();
        ledger.setCapacity('a', gpuSite(...gpus));
        const empty = look(ledger);
        for (const [i, { need: each, replicas }] of list.entries()) {
          ledger.hold(`p.${i}`, each, [{ site: 'a', replicas }]);
        }
        const full = look(ledger);
        const key = `p.${pick % Math.max(1, list.length)}`;
        for (const probe of probes) ledger.fitting('a', probe, 100, key);
        expect(look(ledger)).toEqual(full);
        const detached = ledger.detach(key);
        ledger.hold(key, gpuNeed(1, 90), [{ site: 'a', replicas: 3 }]);
        ledger.attach(key, detached);
        expect(look(ledger)).toEqual(full);
        for (let i = list.length; i > 0; i -= 1) ledger.release(`p.${(i + pick) % list.length}`);
        expect(look(ledger)).toEqual(empty);
        expect(ledger.use('a', need(1)).taken).toEqual([0, 0, 0, 0]);
      }),
    );
  });

  it('says of all sites at once what it says of each', () => {
    fc.assert(
      fc.property(someSite, holdings, needs, fc.integer({ min: 1, max: 40 }), (gpus, list, wanted, limit) => {
        const ledger = new Ledger();
        ledger.setCapacity('a', gpuSite(...gpus));
        ledger.setCapacity('b', gpuSite(...gpus.toReversed(), 2));
        const sites = ['a', 'nowhere', 'b'].map((name) => ({ name }));
        const each = () => sites.map(({ name }) => ledger.fitting(name, wanted, limit));
        for (const [i, { need: one, replicas }] of list.entries()) {
          ledger.hold(`p.${i}`, one, [{ site: i % 2 === 0 ? 'a' : 'b', replicas }]);
          expect([...ledger.fittingAll(sites, wanted, limit)]).toEqual(each());
        }
        expect([...ledger.haveRoom(sites, wanted)]).toEqual(each().map((n) => (n > 0 ? 1 : 0)));
        const uses = sites.map(({ name }) => ledger.use(name, wanted));
        expect([...ledger.usesOf(sites, wanted)]).toEqual(
          uses.flatMap(({ taken, perReplica }) => [...taken, ...perReplica]),
        );
      }),
    );
  });

  it('packs what is held the same way whatever the order in which it came, when capacity is told last', () => {
    fc.assert(
      fc.property(someSite, holdings, (gpus, list) => {
        const seen = [false, true].map((backwards) => {
          const ledger = new Ledger();
          const keyed = list.map((entry, i) => ({ ...entry, key: `p.${i}` }));
          for (const { key, need: each, replicas } of backwards ? keyed.toReversed() : keyed) {
            ledger.hold(key, each, [{ site: 'a', replicas }]);
          }
          ledger.setCapacity('a', gpuSite(...gpus));
          return look(ledger);
        });
        expect(seen[1]).toEqual(seen[0]);
      }),
    );
  });
});
