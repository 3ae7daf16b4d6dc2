import { LIMITS, siteDescriptionSchema, siteSchema, type CommandBody } from '@skerry/contracts';
import { Cloud } from './cloud.suite.js';
import { EVACUATION_MS } from './index.js';

const fjord = siteDescriptionSchema.parse({ name: 'fjord', location: { lat: 60, lon: 5 } });
let cloud: Cloud;
beforeEach(() => {
  cloud = new Cloud();
});

describe('sites', () => {
  test('a name is used once for ever', () => {
    expect(cloud.ask({ verb: 'site.add', site: fjord })).toMatchObject({ ok: true });
    expect(cloud.ask({ verb: 'site.add', site: fjord })).toMatchObject({ ok: false, code: 'name-used' });
    cloud.ask({ verb: 'site.remove', name: 'fjord' });
    expect(cloud.sites.get('fjord')).toMatchObject({ membership: 'removed' });
    expect(cloud.ask({ verb: 'site.add', site: fjord })).toMatchObject({ ok: false, code: 'name-used' });
  });

  test('a joined one leaves before it is removed, unless it is forced', () => {
    cloud.ask({ verb: 'site.add', site: fjord });
    const joined = cloud.sites.get('fjord');
    if (joined) cloud.sites.set('fjord', { ...joined, membership: 'joined' });
    cloud.ask({ verb: 'site.remove', name: 'fjord' });
    expect(cloud.sites.get('fjord')?.membership).toBe('leaving');
    expect(cloud.ask({ verb: 'site.remove', name: 'fjord' })).toMatchObject({
      changes: [{ change: 'unchanged' }],
    });
    cloud.ask({ verb: 'site.remove', name: 'fjord', force: true });
    expect(cloud.sites.get('fjord')?.membership).toBe('removed');
    expect(cloud.ask({ verb: 'site.cordon', name: 'fjord', cordoned: true })).toMatchObject({
      code: 'not-found',
    });
  });

  test('cordoning changes nothing twice, and a retry answers the same', () => {
    cloud.ask({ verb: 'site.add', site: fjord }, { sequence: 3 });
    expect(cloud.ask({ verb: 'site.add', site: fjord }, { sequence: 3 })).toMatchObject({
      ok: true,
      changes: [{ change: 'created' }],
    });
    const cordon: CommandBody = { verb: 'site.cordon', name: 'fjord', cordoned: true };
    expect(cloud.ask(cordon, { sequence: 4 })).toMatchObject({ changes: [{ change: 'updated' }] });
    expect(cloud.ask(cordon, { sequence: 5 })).toMatchObject({ changes: [{ change: 'unchanged' }] });
    expect(cloud.ask({ ...cordon, cordoned: false }, { sequence: 2 })).toMatchObject({ code: 'conflict' });
  });
});

describe('emptying a site', () => {
  const join = () => {
    cloud.ask({ verb: 'site.add', site: fjord });
    const added = cloud.sites.get('fjord');
    if (added) cloud.sites.set('fjord', { ...added, membership: 'joined' });
  };
  const fjordNow = () => cloud.sites.get('fjord');

  test('a drain has no deadline unless it is told one, an evacuation has one always', () => {
    join();
    cloud.ask({ verb: 'site.drain', name: 'fjord', kind: 'drain' });
    expect(fjordNow()).toMatchObject({ draining: true, departure: { kind: 'drain' } });
    expect(fjordNow()?.departure?.deadline).toBeUndefined();
    cloud.ask({ verb: 'site.drain', name: 'fjord', kind: 'evacuate' });
    const { since = '', deadline = '' } = fjordNow()?.departure ?? {};
    expect(Date.parse(deadline) - Date.parse(since)).toBe(EVACUATION_MS);
  });

  test('is taken back as a whole, and then nothing is left of it', () => {
    join();
    const before = fjordNow();
    cloud.ask({ verb: 'site.drain', name: 'fjord', kind: 'evacuate', deadlineMs: 60_000 });
    cloud.ask({ verb: 'site.recall', name: 'fjord' });
    const { generation: _g, commandSequence: _s, updatedAt: _u, ...after } = fjordNow() ?? {};
    expect(before).toMatchObject(after);
    expect(cloud.ask({ verb: 'site.recall', name: 'fjord' })).toMatchObject({
      changes: [{ change: 'unchanged' }],
    });
  });

  test('a removal is taken back too, as long as the site is there', () => {
    join();
    cloud.ask({ verb: 'site.remove', name: 'fjord', deadlineMs: 1_000 });
    expect(fjordNow()).toMatchObject({ membership: 'leaving', departure: { kind: 'retire' } });
    expect(cloud.ask({ verb: 'site.drain', name: 'fjord', kind: 'drain' })).toMatchObject({
      code: 'conflict',
    });
    const recall: CommandBody = { verb: 'site.recall', name: 'fjord' };
    expect(cloud.ask(recall, { role: 'operator' })).toMatchObject({ code: 'forbidden' });
    cloud.ask({ verb: 'site.recall', name: 'fjord' });
    expect(fjordNow()).toMatchObject({ membership: 'joined', recalledAt: expect.any(String) });
    cloud.ask({ verb: 'site.remove', name: 'fjord', force: true });
    expect(cloud.ask({ verb: 'site.recall', name: 'fjord' })).toMatchObject({ code: 'not-found' });
  });

  test('a removal that is asked for again with a deadline gets that one, and goes on without one', () => {
    join();
    cloud.ask({ verb: 'site.remove', name: 'fjord' });
    expect(fjordNow()?.departure?.deadline).toBeUndefined();
    expect(cloud.ask({ verb: 'site.remove', name: 'fjord', deadlineMs: 60_000 })).toMatchObject({
      changes: [{ change: 'updated' }],
    });
    expect(fjordNow()).toMatchObject({
      membership: 'leaving',
      departure: { kind: 'retire', deadline: expect.any(String) },
    });
    expect(cloud.ask({ verb: 'site.remove', name: 'fjord' })).toMatchObject({
      changes: [{ change: 'unchanged' }],
    });
  });

  test('refuses a rule for more nodes than a site may name, and what is there can still be changed', () => {
    join();
    const remove = (name: string) => cloud.ask({ verb: 'node.remove', site: 'fjord', name });
    for (let n = 0; n < LIMITS.nodesPerSite; n += 1)
      expect(remove(`n${n}`)).toMatchObject({ changes: [{ change: 'updated' }] });
    expect(remove('one-more')).toMatchObject({
      code: 'too-large',
      issues: [{ allowed: expect.stringContaining('nodesPerSite') }],
    });
    expect(siteSchema.safeParse(fjordNow()).success).toBe(true);
    expect(remove('n0')).toMatchObject({ changes: [{ change: 'unchanged' }] });
  });

  test('a node is cordoned, drained and freed again; one that was removed is so for ever', () => {
    join();
    const set = (rule?: 'cordoned' | 'draining') =>
      cloud.ask({ verb: 'node.set', site: 'fjord', name: 'n1', ...(rule ? { rule } : {}) });
    set('draining');
    expect(fjordNow()).toMatchObject({ nodes: { n1: 'draining' }, nodesGeneration: 1 });
    expect(set('draining')).toMatchObject({ changes: [{ change: 'unchanged' }] });
    set();
    expect(fjordNow()).toMatchObject({ nodes: {}, nodesGeneration: 2 });
    cloud.ask({ verb: 'node.remove', site: 'fjord', name: 'n1' });
    expect(fjordNow()).toMatchObject({ nodes: { n1: 'removed' }, nodesGeneration: 3 });
    expect(set('cordoned')).toMatchObject({ code: 'name-used' });
    expect(set()).toMatchObject({ code: 'name-used' });
  });
});
