import {
  siteDescriptionSchema,
  workloadSchema,
  workloadTypeSchema,
  type Actor,
  type CommandBody,
  type WorkloadType,
} from '@skerry/contracts';
import { Cloud, document } from './cloud.suite.js';

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
      { verb: 'workload.apply', documents: [document('web', { placement: { replicas: 1 } })] },
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
    expect(cloud.apply('web', { placement: { replicas: 2 } })).toMatchObject({
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
    cloud.apply('web', { placement: { replicas: 2 } });
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

  test('delivered again is not answered while what it wrote is read in part', () => {
    const folder = (replicas: number) => ({
      verb: 'workload.apply' as const,
      documents: ['a', 'b', 'c', 'd'].map((name) =>
        document(name, name === 'd' ? {} : { placement: { replicas } }),
      ),
    });
    cloud.ask({ verb: 'workload.apply', documents: [document('b'), document('d')] });
    const before = cloud.workloads.get('shop.b');
    const told = cloud.ask(folder(2), { requestId: 'folder', sequence: 5 });
    const [a, b] = ['a', 'b'].map((name) => cloud.workloads.get(`shop.${name}`));
    if (!before || !a || !b) throw new Error('nothing was admitted');

    cloud.workloads.delete('shop.a');
    expect(cloud.ask(folder(2), { requestId: 'folder', sequence: 5 })).toMatchObject({
      ok: false,
      again: true,
    });
    cloud.workloads.set('shop.a', a).set('shop.b', before);
    expect(cloud.ask(folder(2), { requestId: 'folder', sequence: 5 })).toMatchObject({
      ok: false,
      again: true,
    });
    cloud.workloads.set('shop.b', b);
    const again = cloud.ask(folder(2), { requestId: 'folder', sequence: 5 });
    expect(again).toMatchObject({ ok: true, writes: { workloads: [] } });
    expect(
      again.ok && told.ok && again.changes.map(({ name, generation }) => ({ name, generation })),
    ).toEqual(told.ok && told.changes.map(({ name, generation }) => ({ name, generation })));
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

describe('the type of a workload', () => {
  const types = workloadTypeSchema.options;
  const spec = (type: WorkloadType) => ({
    type,
    ...(type === 'cron' ? { cron: { schedule: '0 3 * * *' } } : {}),
  });
  const pairs = types.flatMap((before) => types.filter((t) => t !== before).map((t) => [before, t] as const));

  test.each(pairs)('cannot change from %s to %s: it says what to do instead', (before, after) => {
    cloud.apply('web', spec(before));
    expect(cloud.apply('web', spec(after))).toMatchObject({
      ok: false,
      code: 'invalid',
      issues: [{ path: 'spec.type', value: after, allowed: expect.stringContaining('remove') }],
    });
    expect(cloud.workloads.get('shop.web')).toMatchObject({ generation: 1, spec: { type: before } });
  });

  test('is another under another name, or once the workload was removed', () => {
    cloud.apply('web', spec('service'));
    expect(cloud.apply('web-lead', spec('singleton'))).toMatchObject({ ok: true });
    cloud.ask({ verb: 'workload.remove', ...web });
    expect(cloud.apply('web', spec('singleton'))).toMatchObject({ changes: [{ change: 'created' }] });
  });

  test('is refused beside all else that is wrong', () => {
    cloud.apply('web', spec('service'));
    const wrong = { type: 'job', run: { command: ['x'], restart: { policy: 'always' } } };
    const answer = cloud.apply('web', wrong);
    expect(answer.ok ? [] : answer.issues.map((i) => i.path)).toEqual([
      'spec.type',
      'spec.run.restart.policy',
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
    cloud.apply('lead', { type: 'singleton' });
    const lead = { project: 'shop', name: 'lead' };
    expect(cloud.ask({ verb: 'workload.scale', ...lead, replicas: 2 })).toMatchObject({
      issues: [{ path: 'spec.placement.replicas', allowed: '1' }],
    });
  });
});
