import { describe, expect, it } from '@jest/globals';
import { resourcesSchema, runSchema, type Allotment } from '@skerry/contracts';
import * as fc from 'fast-check';
import { allot, slotsOn, type AllotRequest, type NodeStanding } from './allot.js';
import { eachNeedOf, NodeLedger, type SiteNode } from './node-ledger.js';

const node = (name: string, cpuMillicores = 1_000): SiteNode => ({
  name,
  room: { cpuMillicores, memoryMiB: 10_000, diskMiB: 10_000 },
  drivers: ['process', 'mock'],
});
const NODES = ['a', 'b', 'c'];

interface Given extends Partial<Omit<AllotRequest, 'nodes' | 'before'>> {
  replicas?: number;
  cpu?: number;
  ports?: object[];
  nodes?: Record<string, NodeStanding>;
  rooms?: SiteNode[];
  before?: Pick<Allotment, 'slots' | 'leaving'>;
}

function ask(given: Given = {}) {
  const { replicas = 3, cpu = 100, ports = [], nodes, rooms, ...rest } = given;
  const standings = nodes ?? Object.fromEntries(NODES.map((n) => [n, 'ready' as const]));
  return allot({
    key: 'shop.web',
    assignment: {
      replicas,
      run: runSchema.parse({ command: ['x'], ports }),
      resources: resourcesSchema.parse({ cpuMillicores: cpu }),
    },
    single: false,
    sameNeed: true,
    up: new Set(),
    running: new Map(),
    finished: new Set(),
    healthy: new Set(),
    hasEnded: () => true,
    mayRunUnknown: () => false,
    ledger: new NodeLedger(rooms ?? NODES.map((n) => node(n))),
    nodes: new Map(Object.entries(standings)),
    ...rest,
  });
}

describe('giving replicas to nodes', () => {
  it('spreads them, also where one node has room for all', () => {
    expect(ask({ replicas: 6 }).slots.toSorted()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
  });

  it('leaves what has a node there, though another spread would be better', () => {
    expect(ask({ before: { slots: ['a', 'a', 'a'] } }).slots).toEqual(['a', 'a', 'a']);
  });

  it('leaves what runs on a node that was given too much, and what does not run there only if it fits', () => {
    const ledger = new NodeLedger(NODES.map((n) => node(n)));
    const resources = resourcesSchema.parse({ cpuMillicores: 900 });
    ledger.set('shop.other', eachNeedOf({ run: runSchema.parse({ command: ['x'] }), resources }), ['a']);
    const given = { replicas: 1, cpu: 200, ledger, before: { slots: ['a'] } };
    expect(ask({ ...given, up: new Set([0]) }).slots).toEqual(['a']);
    expect(ask(given).slots).not.toEqual(['a']);
    expect(ask({ ...given, cpu: 100 }).slots).toEqual(['a']);
  });

  it('leaves what runs where it runs when nobody was given anything yet', () => {
    const running = new Map([
      [0, 'b'],
      [1, 'b'],
    ]);
    expect(ask({ replicas: 2, running }).slots).toEqual(['b', 'b']);
  });

  it('gives what a lost node had to the others, and nothing else', () => {
    const nodes = { a: 'lost', b: 'ready', c: 'ready' } as const;
    const { slots, leaving } = ask({ nodes, before: { slots: ['a', 'b', 'a'] } });
    expect(slots).toEqual(['c', 'b', expect.stringMatching(/b|c/)]);
    expect(leaving.size).toBe(0);
  });

  it('gives nothing new to a node that is cordoned or suspect, and leaves there what it has', () => {
    const nodes = { a: 'cordoned', b: 'suspect', c: 'ready' } as const;
    expect(ask({ nodes, replicas: 4, before: { slots: ['a', 'b'] } }).slots).toEqual(['a', 'b', 'c', 'c']);
  });

  it('empties a draining node, which goes on with each replica until its successor is healthy', () => {
    const nodes = { a: 'draining', b: 'ready', c: 'ready' } as const;
    const first = ask({ nodes, replicas: 1, before: { slots: ['a'] } });
    expect(first.slots).toEqual(['b']);
    expect(first.leaving).toEqual(new Map([[0, 'a']]));
    const before = { slots: first.slots, leaving: { '0': 'a' } };
    expect(slotsOn('a', before, false)).toEqual([0]);
    expect(ask({ nodes, replicas: 1, before }).leaving.size).toBe(1);
    expect(ask({ nodes, replicas: 1, before, healthy: new Set([0]) }).leaving.size).toBe(0);
  });

  it('leaves on a draining node what nothing else has room for', () => {
    const nodes = { a: 'draining', b: 'ready' } as const;
    const rooms = [node('a'), node('b', 50)];
    expect(ask({ nodes, rooms, replicas: 1, before: { slots: ['a'] } })).toMatchObject({
      slots: ['a'],
      missing: 0,
    });
  });

  it('gives a singleton to another node only when the one before has surely ended it', () => {
    const nodes = { a: 'lost', b: 'ready' } as const;
    const given = { nodes, replicas: 1, single: true, before: { slots: ['a'] } };
    const waiting = ask({ ...given, hasEnded: () => false });
    expect(waiting).toMatchObject({ slots: [''], missing: 0 });
    const before = { slots: waiting.slots, leaving: Object.fromEntries(waiting.leaving) };
    expect(ask({ ...given, before, hasEnded: () => false }).slots).toEqual(['']);
    expect(ask({ ...given, before, hasEnded: (n) => n === 'a' }).slots).toEqual(['b']);
    expect(slotsOn('a', before, true)).toEqual([]);
  });

  it('takes a singleton away in one decision and gives it in the next: until then it may begin where it was', () => {
    for (const standing of ['draining', 'lost', 'removed'] as const) {
      const given = { nodes: { a: standing, b: 'ready' as const }, replicas: 1, single: true };
      const first = ask({ ...given, before: { slots: ['a'] }, hasEnded: () => true });
      expect(first).toMatchObject({ slots: [''], leaving: new Map([[0, 'a']]), missing: 0 });
      const before = { slots: first.slots, leaving: { '0': 'a' } };
      expect(ask({ ...given, before, hasEnded: () => true }).slots).toEqual(['b']);
    }
  });

  it('does not end a singleton on a draining node while nothing else has room for it', () => {
    const nodes = { a: 'draining', b: 'ready' } as const;
    const given = { nodes, replicas: 1, single: true, before: { slots: ['a'] }, hasEnded: () => false };
    const full = ask({ ...given, rooms: [node('a'), node('b', 50)] });
    expect(full).toMatchObject({ slots: ['a'], missing: 0 });
    expect(full.leaving.size).toBe(0);
    expect(ask(given)).toMatchObject({ slots: [''], leaving: new Map([[0, 'a']]) });
  });

  it('gives a singleton that nobody is known to have to nobody while a silent node may run it', () => {
    const given = { replicas: 1, single: true, nodes: { a: 'lost', b: 'ready' } as const };
    const before = { slots: [''] };
    for (const rest of [given, { ...given, before }]) {
      expect(ask({ ...rest, mayRunUnknown: () => true })).toMatchObject({ slots: [''], waits: true });
      expect(ask({ ...rest, mayRunUnknown: () => false })).toMatchObject({ slots: ['b'], waits: false });
    }
    const running = new Map([[0, 'b']]);
    expect(ask({ ...given, before, running, mayRunUnknown: () => true })).toMatchObject({ slots: ['b'] });
  });

  it('does not run again on another node what ended for good on a lost one', () => {
    const nodes = { a: 'lost', b: 'ready' } as const;
    const { slots } = ask({ nodes, replicas: 2, before: { slots: ['a', 'a'] }, finished: new Set([0]) });
    expect(slots).toEqual(['a', 'b']);
  });

  it('gives a port of its own to one replica a node', () => {
    const ports = [{ name: 'http', port: 80 }];
    expect(ask({ replicas: 4, ports })).toMatchObject({
      missing: 1,
      misfit: { check: 'ports', has: expect.stringMatching(/^room for 3 of 4 replicas on 3 nodes/) },
    });
  });

  it('says what the nodes lack', () => {
    expect(ask({ replicas: 4, cpu: 600, sameNeed: false }).misfit).toMatchObject({
      check: 'capacity',
      has: 'room for 3 of 4 replicas on 3 nodes; a: 1000m of cpu free of 1000m',
      needs: '1200m',
    });
    const none = ask({ nodes: { a: 'cordoned' } });
    expect(none.misfit).toMatchObject({ check: 'nodes', needs: 'a ready node' });
  });
});

describe('whatever happens to the nodes', () => {
  const standing = fc.constantFrom<NodeStanding>(
    'ready',
    'suspect',
    'lost',
    'cordoned',
    'draining',
    'removed',
  );
  const situation = fc.record({
    standings: fc.array(standing, { minLength: 1, maxLength: 6 }),
    rooms: fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 6, maxLength: 6 }),
    slots: fc.array(fc.integer({ min: -1, max: 7 }), { maxLength: 8 }),
    replicas: fc.integer({ min: 0, max: 8 }),
    cpu: fc.integer({ min: 1, max: 500 }),
    others: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 6, maxLength: 6 }),
  });

  it('no slot is on a node that may not have it, no node gets more than it has, and again changes nothing', () => {
    fc.assert(
      fc.property(situation, ({ standings, rooms, slots, replicas, cpu, others }) => {
        const nodes = new Map(standings.map((s, i) => [`n${i}`, s]));
        const ledger = new NodeLedger(standings.map((_, i) => node(`n${i}`, rooms[i])));
        const other = eachNeedOf({
          run: runSchema.parse({ command: ['x'] }),
          resources: resourcesSchema.parse({ cpuMillicores: others[0], memoryMiB: 0 }),
        });
        ledger.set('shop.other', other, ['n0']);
        const before = { slots: slots.map((s) => (s < 0 ? '' : `n${s}`)) };
        const request = {
          key: 'shop.web',
          assignment: {
            replicas,
            run: runSchema.parse({ command: ['x'] }),
            resources: resourcesSchema.parse({ cpuMillicores: cpu, memoryMiB: 0 }),
          },
          single: false,
          sameNeed: false,
          up: new Set<number>(),
          running: new Map<number, string>(),
          finished: new Set<number>(),
          healthy: new Set<number>(),
          hasEnded: () => true,
          mayRunUnknown: () => false,
          nodes,
          ledger,
        };
        const result = allot({ ...request, before });
        expect(result.slots).toHaveLength(replicas);
        expect(result.slots.filter((s) => s === '')).toHaveLength(result.missing);
        const given = result.slots.flatMap((name, slot) => (name === '' ? [] : [{ name, slot }]));
        // Only who had it may have it without being ready; never one that is lost or removed.
        const strange = given.filter(({ name, slot }) => {
          const is = nodes.get(name);
          return is !== 'ready' && (before.slots[slot] !== name || is === 'lost' || is === 'removed');
        });
        expect(strange).toEqual([]);
        const overfull = standings.flatMap((is, i) => {
          const mine = given.filter(({ name }) => name === `n${i}`).length;
          const used = mine * cpu + (i === 0 ? (others[0] ?? 0) : 0);
          return mine > 0 && is !== 'draining' && used > (rooms[i] ?? 0) ? [`n${i}`] : [];
        });
        expect(overfull).toEqual([]);
        const leaving = Object.fromEntries([...result.leaving].map(([s, n]) => [String(s), n]));
        const again = allot({ ...request, before: { slots: result.slots, leaving } });
        expect(again.slots).toEqual(result.slots);
      }),
      { numRuns: 300 },
    );
  });
});
