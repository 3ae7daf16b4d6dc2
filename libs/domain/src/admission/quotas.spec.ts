import type { QuotaLimits } from '@skerry/contracts';
import { Cloud } from './cloud.suite.js';

let cloud: Cloud;
beforeEach(() => {
  cloud = new Cloud();
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

test('a quota of GPUs counts whole ones and shares', () => {
  cloud.quotas.set('shop', { kind: 'Quota', project: 'shop', gpus: 2 });
  const gpu = (request: object) => ({ placement: { replicas: 3 }, resources: { gpu: request } });
  expect(cloud.apply('a', gpu({ shareMilli: 500 }))).toMatchObject({ ok: true });
  expect(cloud.apply('b', gpu({}))).toMatchObject({
    code: 'over-quota',
    issues: [{ path: 'quota.shop.gpus', value: '4.5', allowed: 'at most 2 (in use 1.5)' }],
  });
});
