import {
  LIMITS,
  siteDescriptionSchema,
  siteSchema,
  workloadDocumentSchema,
  workloadSchema,
  type Actor,
  type CommandBody,
  type Quota,
  type QuotaLimits,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { admit, claimOf, EVACUATION_MS, type Admission, type AdmissionTools } from './index.js';

const NOW = '2026-01-01T00:00:00.000Z';
const ACCOUNT = `A${'B'.repeat(55)}`;
const tools: AdmissionTools = {
  digest: (spec) => `sha256:${JSON.stringify(spec)}`,
  locate: ({ city, country }) =>
    city === 'Nowhere'
      ? { ok: false, field: 'city', problem: 'unknown city', allowed: 'Somewhere' }
      : { ok: true, points: [{ label: city ?? country ?? '', lat: 1, lon: 2, weight: 1 }] },
};

/** A cloud in memory: what admission decides is applied to it. */
class Cloud {
  readonly workloads = new Map<string, Workload>();
  readonly sites = new Map<string, Site>();
  readonly quotas = new Map<string, Quota>();
  sequence = 0;

  ask(
    body: CommandBody,
    more: { role?: Actor['role']; requestId?: string; sequence?: number } = {},
  ): Admission {
    this.sequence += 1;
    const { role = 'admin', requestId = `request-${this.sequence}`, sequence = this.sequence } = more;
    const actor = { subject: 'someone', role };
    const command = { kind: 'Command' as const, requestId, actor, sentAt: NOW, body };
    const state = {
      workload: (project: string, name: string) => this.workloads.get(`${project}.${name}`),
      site: (name: string) => this.sites.get(name),
      quota: (project: string) => this.quotas.get(project),
      sites: () => this.sites.values(),
      dataset: () => undefined,
      claimsOf: (project: string) =>
        [...this.workloads.values()].filter((w) => w.project === project).flatMap((w) => claimOf(w) ?? []),
    };
    const admission = admit({ command, sequence, now: NOW, account: ACCOUNT }, state, tools);
    if (admission.ok) {
      for (const w of admission.writes.workloads) this.workloads.set(`${w.project}.${w.name}`, w);
      for (const s of admission.writes.sites) this.sites.set(s.name, s);
      for (const q of admission.writes.quotas) this.quotas.set(q.project, q);
    }
    return admission;
  }

  apply(name: string, spec: Record<string, unknown> = {}, more: Parameters<Cloud['ask']>[1] = {}): Admission {
    return this.ask({ verb: 'workload.apply', documents: [document(name, spec)] }, more);
  }
}

function document(name: string, spec: Record<string, unknown> = {}, project = 'shop') {
  return workloadDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project },
    spec: { run: { command: ['x'] }, ...spec },
  });
}

const web = { project: 'shop', name: 'web' };
const fjord = siteDescriptionSchema.parse({ name: 'fjord', location: { lat: 60, lon: 5 } });
let cloud: Cloud;
beforeEach(() => {
  cloud = new Cloud();
});

describe('what is written of a workload', () => {
  it('has its fields in the order of the schema: digests are taken of it as it is', () => {
    cloud.apply('web', { placement: { replicas: 2 } });
    const bodies: CommandBody[] = [
      { verb: 'workload.apply', documents: [document('web', { type: 'job' })] },
      { verb: 'workload.scale', ...web, replicas: 3 },
      { verb: 'workload.stop', ...web },
      { verb: 'workload.start', ...web },
      { verb: 'workload.remove', ...web },
    ];
    for (const body of bodies) {
      const admission = cloud.ask(body);
      const [written] = admission.ok ? admission.writes.workloads : [];
      expect(written).toBeDefined();
      const workload = { ...written, specDigest: `sha256:${'0'.repeat(64)}` };
      expect(JSON.stringify(workload)).toBe(JSON.stringify(workloadSchema.parse(workload)));
    }
  });
});

describe('roles', () => {
  const asks: [CommandBody, Actor['role'][]][] = [
    [{ verb: 'workload.apply', documents: [document('web')] }, ['operator', 'admin']],
    [{ verb: 'workload.scale', ...web, replicas: 2 }, ['operator', 'admin']],
    [{ verb: 'site.cordon', name: 'fjord', cordoned: true }, ['operator', 'admin']],
    [{ verb: 'site.drain', name: 'fjord', kind: 'evacuate' }, ['operator', 'admin']],
    [{ verb: 'site.recall', name: 'fjord' }, ['operator', 'admin']],
    [{ verb: 'node.set', site: 'fjord', name: 'n1', rule: 'draining' }, ['operator', 'admin']],
    [{ verb: 'node.remove', site: 'fjord', name: 'n1' }, ['admin']],
    [{ verb: 'site.add', site: fjord }, ['admin']],
    [{ verb: 'site.remove', name: 'fjord' }, ['admin']],
    [{ verb: 'quota.set', project: 'shop', limits: { replicas: 1 } }, ['admin']],
    [{ verb: 'quota.remove', project: 'shop' }, ['admin']],
  ];
  test.each(asks)('only those who may do it: %j', (body, allowed) => {
    for (const role of ['viewer', 'operator', 'admin'] as const) {
      const answer = new Cloud().ask(body, { role });
      expect(!answer.ok && answer.code === 'forbidden').toBe(!allowed.includes(role));
    }
  });
});

describe('apply', () => {
  test('creates, then changes nothing, then updates, one generation a change', () => {
    expect(cloud.apply('web')).toMatchObject({ changes: [{ change: 'created', generation: 1 }] });
    expect(cloud.apply('web')).toMatchObject({ changes: [{ change: 'unchanged', generation: 1 }] });
    expect(cloud.apply('web', { type: 'job' })).toMatchObject({
      changes: [{ change: 'updated', generation: 2 }],
    });
  });

  test('goes on with the generations over a removal', () => {
    cloud.apply('web');
    cloud.ask({ verb: 'workload.remove', ...web });
    expect(cloud.apply('web')).toMatchObject({ changes: [{ change: 'created', generation: 3 }] });
    expect(cloud.workloads.get('shop.web')).toMatchObject({ removed: false, generation: 3 });
  });

  test('leaves a stopped workload stopped', () => {
    cloud.apply('web');
    cloud.ask({ verb: 'workload.stop', ...web });
    cloud.apply('web', { type: 'job' });
    expect(cloud.workloads.get('shop.web')).toMatchObject({ stopped: true, generation: 3 });
  });

  test('delivered again answers the same and writes nothing', () => {
    cloud.apply('web', {}, { requestId: 'once-only', sequence: 5 });
    const again = cloud.apply('web', {}, { requestId: 'once-only', sequence: 5 });
    expect(again).toMatchObject({
      ok: true,
      changes: [{ change: 'created', generation: 1 }],
      writes: { workloads: [] },
    });
  });

  test('does not overwrite what a newer command wrote', () => {
    cloud.apply('web', { type: 'job' }, { sequence: 9 });
    expect(cloud.apply('web', {}, { sequence: 8 })).toMatchObject({
      ok: false,
      code: 'conflict',
      title: expect.stringContaining('superseded'),
    });
  });

  test('obeys the generation it is given, 0 for none', () => {
    const at = (ifGeneration: number) =>
      cloud.ask({ verb: 'workload.apply', documents: [document('web')], ifGeneration });
    expect(at(1)).toMatchObject({ ok: false, code: 'conflict' });
    expect(at(0)).toMatchObject({ ok: true });
    expect(at(0)).toMatchObject({ ok: false, code: 'conflict' });
    expect(at(1)).toMatchObject({ ok: true });
    const documents = [document('a'), document('b')];
    expect(cloud.ask({ verb: 'workload.apply', documents, ifGeneration: 0 })).toMatchObject({
      code: 'invalid',
    });
  });

  test('refuses a workload that is twice in a command', () => {
    const documents = [document('web'), document('web', { type: 'job' })];
    expect(cloud.ask({ verb: 'workload.apply', documents })).toMatchObject({
      ok: false,
      issues: [{ path: '[doc 1] web: metadata.name', problem: 'also in document 0' }],
    });
    expect(cloud.workloads.size).toBe(0);
  });

  test('names every problem of every document at once', () => {
    const documents = [
      document('a', { placement: { users: [{ city: 'Nowhere' }, { country: 'DE' }, { city: 'Nowhere' }] } }),
      document('b', {
        type: 'job',
        run: { command: ['x'], restart: { policy: 'always', backoffMs: 60_000 } },
      }),
      document('c', { placement: { sites: { required: { kind: 'moon' } } } }),
    ];
    const answer = cloud.ask({ verb: 'workload.apply', documents });
    expect(answer.ok ? [] : answer.issues.map((i) => i.path)).toEqual([
      '[doc 0] a: spec.placement.users[0].city',
      '[doc 0] a: spec.placement.users[2].city',
      '[doc 1] b: spec.run.restart.policy',
      '[doc 1] b: spec.run.restart.maxBackoffMs',
      '[doc 2] c: spec.placement.sites.required.kind',
    ]);
  });
});

describe('scale, stop, start, remove', () => {
  test('change one thing of a workload that exists', () => {
    cloud.apply('web');
    expect(cloud.ask({ verb: 'workload.scale', ...web, replicas: 4 })).toMatchObject({
      changes: [{ generation: 2 }],
    });
    expect(cloud.workloads.get('shop.web')?.spec.placement.replicas).toBe(4);
    expect(cloud.ask({ verb: 'workload.scale', ...web, replicas: 4 })).toMatchObject({
      changes: [{ change: 'unchanged' }],
    });
    cloud.ask({ verb: 'workload.stop', ...web });
    expect(cloud.ask({ verb: 'workload.start', ...web })).toMatchObject({ changes: [{ generation: 4 }] });
    expect(cloud.ask({ verb: 'workload.remove', ...web })).toMatchObject({
      changes: [{ change: 'removed' }],
    });
    expect(cloud.ask({ verb: 'workload.remove', ...web })).toMatchObject({ ok: false, code: 'not-found' });
    expect(cloud.ask({ verb: 'workload.stop', project: 'shop', name: 'other' })).toMatchObject({
      code: 'not-found',
    });
  });
});

describe('scale', () => {
  test('is refused when a rule of the workload would no longer hold', () => {
    cloud.apply('web', { placement: { replicas: 3, survive: { sites: 1 } } });
    expect(cloud.ask({ verb: 'workload.scale', ...web, replicas: 2 })).toMatchObject({
      code: 'invalid',
      issues: [{ path: 'spec.placement.survive' }],
    });
    cloud.apply('web', { type: 'singleton' });
    expect(cloud.ask({ verb: 'workload.scale', ...web, replicas: 2 })).toMatchObject({
      issues: [{ path: 'spec.placement.replicas', allowed: '1' }],
    });
  });
});

describe('a quota', () => {
  beforeEach(() => cloud.quotas.set('shop', { kind: 'Quota', project: 'shop', replicas: 5, workloads: 2 }));
  const replicas = (n: number) => ({ placement: { replicas: n } });

  test('is kept over all workloads of the project, and says which limit is passed', () => {
    cloud.apply('a', replicas(3));
    expect(cloud.apply('b', replicas(3))).toMatchObject({
      ok: false,
      code: 'over-quota',
      issues: [{ path: 'quota.shop.replicas', value: '6', allowed: 'at most 5 (in use 3)' }],
    });
    expect(cloud.apply('b', replicas(2))).toMatchObject({ ok: true });
    expect(cloud.apply('c', replicas(0))).toMatchObject({ issues: [{ path: 'quota.shop.workloads' }] });
  });

  test('takes nothing for what is stopped, and is asked again at start', () => {
    cloud.apply('a', replicas(5));
    cloud.ask({ verb: 'workload.stop', project: 'shop', name: 'a' });
    expect(cloud.apply('b', replicas(5))).toMatchObject({ ok: true });
    expect(cloud.ask({ verb: 'workload.start', project: 'shop', name: 'a' })).toMatchObject({
      code: 'over-quota',
    });
  });

  test('never hinders one who is over it from taking less', () => {
    cloud.apply('a', replicas(5));
    cloud.quotas.set('shop', { kind: 'Quota', project: 'shop', replicas: 2 });
    expect(cloud.apply('a', replicas(4))).toMatchObject({ ok: true });
    expect(cloud.apply('a', replicas(5))).toMatchObject({ code: 'over-quota' });
  });
});

describe('setting a quota', () => {
  const set = (limits: QuotaLimits, more: Parameters<Cloud['ask']>[1] = {}) =>
    cloud.ask({ verb: 'quota.set', project: 'shop', limits }, more);
  const remove = () => cloud.ask({ verb: 'quota.remove', project: 'shop' });

  test('replaces the whole of it, one generation a change, and a removal lets everything in again', () => {
    expect(set({ replicas: 3, workloads: 1 })).toMatchObject({
      changes: [{ noun: 'quota', name: 'shop', change: 'created', generation: 1 }],
    });
    expect(set({ workloads: 1, replicas: 3 })).toMatchObject({
      changes: [{ change: 'unchanged', generation: 1 }],
      writes: { quotas: [] },
    });
    expect(set({ replicas: 2 })).toMatchObject({ changes: [{ change: 'updated', generation: 2 }] });
    expect(cloud.apply('a')).toMatchObject({ ok: true });
    expect(cloud.apply('b')).toMatchObject({ ok: true });
    expect(cloud.apply('c')).toMatchObject({ code: 'over-quota' });
    expect(remove()).toMatchObject({ changes: [{ change: 'removed', generation: 3 }] });
    expect(cloud.apply('c')).toMatchObject({ ok: true });
    expect(remove()).toMatchObject({ code: 'not-found' });
    expect(set({ replicas: 3 })).toMatchObject({ changes: [{ change: 'updated', generation: 4 }] });
  });

  test('below what is used stops nothing and lets nothing more in', () => {
    cloud.apply('a', { placement: { replicas: 4 } });
    expect(set({ replicas: 2 })).toMatchObject({ ok: true, writes: { workloads: [] } });
    expect(cloud.apply('b')).toMatchObject({ issues: [{ allowed: 'at most 2 (in use 4)' }] });
  });

  test('delivered again answers the same, and an older command does not overwrite a newer one', () => {
    const once = { requestId: 'once-only', sequence: 5 };
    expect(set({ gpus: 1 }, once)).toMatchObject({ changes: [{ change: 'created', generation: 1 }] });
    expect(set({ gpus: 1 }, once)).toMatchObject({
      changes: [{ change: 'created', generation: 1 }],
      writes: { quotas: [] },
    });
    expect(set({ gpus: 9 }, { sequence: 4 })).toMatchObject({ code: 'conflict' });
  });

  test('changes one that the bootstrap file gave, of which no command is known', () => {
    cloud.quotas.set('shop', { kind: 'Quota', project: 'shop', replicas: 1 });
    expect(set({ replicas: 1 })).toMatchObject({ changes: [{ change: 'unchanged', generation: 1 }] });
    expect(set({ replicas: 2 })).toMatchObject({ changes: [{ change: 'updated', generation: 2 }] });
  });
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

test('a quota of GPUs counts whole ones and shares', () => {
  cloud.quotas.set('shop', { kind: 'Quota', project: 'shop', gpus: 2 });
  const gpu = (request: object) => ({ placement: { replicas: 3 }, resources: { gpu: request } });
  expect(cloud.apply('a', gpu({ shareMilli: 500 }))).toMatchObject({ ok: true });
  expect(cloud.apply('b', gpu({}))).toMatchObject({
    code: 'over-quota',
    issues: [{ path: 'quota.shop.gpus', value: '4.5', allowed: 'at most 2 (in use 1.5)' }],
  });
});
