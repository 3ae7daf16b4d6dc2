import { describe, expect, it } from '@jest/globals';
import { Conflict, MemoryBus, MemoryServer } from '@skerry/bus';
import { observedSchema, SITE_BUCKETS, tombstoneSchema, type Observed } from '@skerry/contracts';
import { assignment, tombstone } from '../site-under-test.suite.js';
import { SiteReports } from './site-reports.js';

const AT = '2026-01-01T00:00:00.000Z';
const VERSION = { term: 1, generation: 1, revision: 1 };

const reportOf = (name: string, phase: 'running' | 'completed' | undefined, report = 1): Observed =>
  observedSchema.parse({
    kind: 'Observed',
    site: 's1',
    project: 'shop',
    name,
    version: VERSION,
    state: phase === undefined ? 'absent' : 'accepted',
    wanted: 1,
    replicas:
      phase === undefined
        ? []
        : [
            {
              id: `${name}-0`,
              slot: 0,
              node: 'n1',
              phase,
              version: VERSION,
              addresses: {},
              restarts: 0,
              since: AT,
            },
          ],
    reportedAt: AT,
    report,
  });

/** What nodes of a site reported, and a second connection that looks at it. */
async function site(reports: Record<string, Observed>) {
  const server = new MemoryServer();
  const bus = new MemoryBus(server);
  await bus.ensureBucket(SITE_BUCKETS.seen);
  const seen = bus.bucket(SITE_BUCKETS.seen, (value) => observedSchema.parse(value));
  for (const [key, report] of Object.entries(reports)) await seen.set(key, report);
  const nodes = {
    names: ['n1'],
    known: true,
    hasApplied: () => true,
    leaseIsOver: () => true,
    leaseLeftMs: () => 0,
    lost: () => new Set<string>(),
  };
  const known = new SiteReports(bus, nodes, () => undefined);
  await known.follow();
  return { bus, seen, known, nodes };
}

describe('what nodes reported', () => {
  it('is not forgotten when a node has reported since: the workload was applied anew', async () => {
    const { bus, seen, known } = await site({ 'n1.shop.web': reportOf('web', undefined) });
    // What comes now is not heard yet.
    await known.stop();
    await seen.set('n1.shop.web', reportOf('web', 'running', 2));
    await expect(known.forget('shop.web')).rejects.toThrow(Conflict);
    expect((await seen.get('n1.shop.web'))?.value.report).toBe(2);
    await bus.close();
  });

  it('of a removed node is forgotten, but for what has ended for good', async () => {
    const { bus, seen, known } = await site({
      'n1.shop.web': reportOf('web', 'running'),
      'n1.shop.once': reportOf('once', 'completed'),
      'n2.shop.web': reportOf('web', 'running'),
    });
    await known.forgetNode('n1');
    expect(await seen.keys()).toEqual(['n1.shop.once', 'n2.shop.web']);
    await known.stop();
    await bus.close();
  });

  it('is not told by a controller that is behind its nodes, or has not heard all: it would go back', async () => {
    const { bus, known, nodes } = await site({ 'n1.shop.web': reportOf('web', 'running') });
    const told = (revision: number) => {
      const object = assignment('web', { version: { revision } });
      const { project, name, version } = object;
      const allotment = {
        kind: 'Allotment' as const,
        project,
        name,
        version,
        slots: ['n1'],
        epoch: 1,
      };
      return known.ofAssignment('shop.web', object, { allotment, revision: 1, refusal: undefined });
    };
    expect(told(1)?.replicas).toHaveLength(1);
    expect(told(0)).toBeUndefined();
    nodes.known = false;
    expect(told(1)).toBeUndefined();
    await known.stop();
    await bus.close();
  });

  it('of a removed workload waits for a lost node only where what there is one of may run on it still', async () => {
    const { bus, known, nodes } = await site({ 'n1.shop.web': reportOf('web', 'running') });
    nodes.names = ['n1', 'n2'];
    nodes.lost = () => new Set(['n1', 'n2']);
    nodes.hasApplied = () => false;
    nodes.leaseIsOver = () => false;
    nodes.leaseLeftMs = () => 60_000;
    const told = (key: string, last: { single?: boolean; leaving?: Record<string, string> }) => {
      const object = tombstoneSchema.parse(tombstone(key.slice('shop.'.length), VERSION));
      const { project, name, version } = object;
      const allotment = { kind: 'Allotment' as const, project, name, version, slots: [], epoch: 1, ...last };
      const decided = { allotment: { ...allotment, tombstone: object }, revision: 1, refusal: undefined };
      return known.ofTombstone(key, object, decided)?.state;
    };
    expect(told('shop.web', { single: false })).toBe('absent');
    expect(told('shop.web', { single: true })).toBe('accepted');
    expect(told('shop.other', { single: true })).toBe('absent');
    expect(told('shop.other', { single: true, leaving: { '0': 'n2' } })).toBe('accepted');
    // By a controller that did not say so.
    expect(told('shop.other', {})).toBe('accepted');
    await known.stop();
    await bus.close();
  });
});
