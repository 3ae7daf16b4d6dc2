import {
  assignmentSchema,
  workloadDocumentSchema,
  type Access,
  type Assignment,
  type Operation,
  type OperatorRequest,
  type Override,
} from '@skerry/contracts';
import { ACCESS_VALID_MS } from '../replication/access.js';
import { access, at, NOW } from './access.suite.js';
import { admitRequest, refuseOperation } from './admit-request.js';
import { decideSiteChange, type HeldAtSite } from './decide-change.js';

describe('a request to a site', () => {
  const request = (change: Partial<OperatorRequest> = {}): OperatorRequest => ({
    id: 'request-1',
    site: 's1',
    tokenId: 'aaaaaaaa',
    at: at(0),
    body: '{}',
    signature: 'A'.repeat(86),
    ...change,
  });
  const admit = (
    change: Partial<OperatorRequest> = {},
    where: { access?: Access | undefined; nowMs?: number; signed?: boolean } = {},
  ) => {
    const { nowMs = NOW, signed = true } = where;
    const known = 'access' in where ? where.access : access();
    return admitRequest(request(change), { site: 's1', access: known, nowMs, isSignedBy: () => signed });
  };
  const title = (result: ReturnType<typeof admit>) => (result.ok ? 'admitted' : result.title);

  it('is of whoever has signed it', () => {
    expect(admit()).toEqual({ ok: true, actor: { subject: 'ann', role: 'operator' } });
    expect(title(admit({}, { signed: false }))).toContain('not known at s1');
    expect(title(admit({ tokenId: 'cccccccc' }))).toContain('not known at s1');
  });

  it('is refused at another site, by another clock, and where nobody was told yet', () => {
    expect(title(admit({ site: 's2' }))).toContain('this is site s1');
    expect(title(admit({ at: at(6 * 60_000) }))).toContain('made at');
    expect(title(admit({}, { access: undefined }))).toContain('not been told yet');
  });

  it('is refused 24 hours after the hub was heard, and when its token has expired', () => {
    const nowMs = NOW + ACCESS_VALID_MS;
    expect(title(admit({ at: at(ACCESS_VALID_MS) }, { nowMs }))).toContain('24 hours after');
    expect(title(admit({ at: at(ACCESS_VALID_MS - 1) }, { nowMs: nowMs - 1 }))).toBe('admitted');
    const expired = access();
    expired.tokens = expired.tokens.map((t) => ({ ...t, expiresAt: at(0) }));
    expect(title(admit({}, { access: expired }))).toContain('has expired');
  });

  it('does not count longer because the clock of the site was set back', () => {
    const old = access({ validUntil: at(-1) });
    expect(title(admit({ at: at(-3_600_000) }, { access: old, nowMs: NOW - 3_600_000 }))).toContain(
      '24 hours after',
    );
  });

  it('changes nothing for a viewer, who may look at everything', () => {
    const viewer = { subject: 'vic', role: 'viewer' as const };
    expect(refuseOperation(viewer, { verb: 'status' })).toBeUndefined();
    expect(refuseOperation(viewer, { verb: 'stop', project: 'shop', name: 'web' })).toMatchObject({
      code: 'forbidden',
    });
  });
});

describe('a change at a site', () => {
  const base = (change: object = {}): Assignment =>
    assignmentSchema.parse({
      kind: 'Assignment',
      site: 's1',
      project: 'shop',
      name: 'web',
      version: { term: 1, generation: 3, revision: 2 },
      type: 'service',
      replicas: 2,
      run: { command: ['web'] },
      resources: {},
      update: {},
      orphan: 'keep',
      requestId: 'request-0',
      ...change,
    });
  const document = (name: string, spec: object = {}) =>
    workloadDocumentSchema.parse({
      apiVersion: 'skerry/v1',
      kind: 'Workload',
      metadata: { name, project: 'shop' },
      spec: { run: { command: ['new'] }, ...spec },
    });
  const decide = (
    operation: Extract<Operation, { verb: 'stop' | 'start' | 'apply' }>,
    held: HeldAtSite[] = [{ project: 'shop', name: 'web', base: base() }],
    known = access(),
  ) =>
    decideSiteChange({
      operation,
      id: 'request-1',
      by: 'ann',
      at: at(0),
      access: known,
      held: (project, name) => held.find((h) => h.project === project && h.name === name),
      all: () => held,
    });
  const overrideOf = (result: ReturnType<typeof decide>): Override => {
    if (!result.ok || result.overrides[0] === undefined) throw new Error(JSON.stringify(result));
    return result.overrides[0];
  };

  it('stops what runs, and starts as many again', () => {
    const stop = overrideOf(decide({ verb: 'stop', project: 'shop', name: 'web' }));
    expect(stop).toMatchObject({ object: { replicas: 0, version: base().version }, replicasBefore: 2 });
    const held = [{ project: 'shop', name: 'web', base: base(), override: stop }];
    expect(overrideOf(decide({ verb: 'start', project: 'shop', name: 'web' }, held)).object.replicas).toBe(2);
    expect(decide({ verb: 'stop', project: 'shop', name: 'web' }, held)).toMatchObject({
      changes: [{ change: 'unchanged' }],
    });
    expect(decide({ verb: 'stop', project: 'shop', name: 'other' })).toMatchObject({ code: 'not-found' });
  });

  it('keeps the share of a site in a workload that others run too, and gives it all of a new one', () => {
    const known = overrideOf(
      decide({ verb: 'apply', documents: [document('web', { placement: { replicas: 6 } })] }),
    );
    expect(known.object).toMatchObject({ replicas: 2, run: { command: ['new'] }, version: base().version });
    expect(known.base).toEqual(base().version);
    const fresh = overrideOf(
      decide({ verb: 'apply', documents: [document('new', { placement: { replicas: 2 } })] }),
    );
    expect(fresh.base).toBeUndefined();
    expect(fresh.object).toMatchObject({ replicas: 2, version: { generation: 1, revision: 0 } });
  });

  it('is nothing at all when one of its documents may not be here', () => {
    const walled = document('walled', { placement: { residency: { allow: ['eu'] } } });
    expect(decide({ verb: 'apply', documents: [document('fine'), walled] })).toMatchObject({
      ok: false,
      code: 'residency',
    });
    const cloudOnly = document('cloud', { placement: { sites: { kinds: { allow: ['region'] } } } });
    expect(decide({ verb: 'apply', documents: [cloudOnly] })).toMatchObject({
      ok: false,
      code: 'unplaceable',
    });
    const labelled = document('labelled', { placement: { sites: { required: { tier: 'edge' } } } });
    expect(decide({ verb: 'apply', documents: [labelled] })).toMatchObject({ ok: true });
  });

  it('begins nothing of which there is one', () => {
    const single = document('single', { type: 'singleton' });
    expect(decide({ verb: 'apply', documents: [single] })).toMatchObject({ ok: false, code: 'invalid' });
    const held = [
      { project: 'shop', name: 'single', base: base({ name: 'single', type: 'singleton', replicas: 1 }) },
    ];
    expect(decide({ verb: 'apply', documents: [single] }, held)).toMatchObject({ ok: true });
  });

  it('leaves the type of what is there as it is', () => {
    const changed = [document('web', { type: 'job' }), document('web', { type: 'singleton' })];
    for (const one of changed)
      expect(decide({ verb: 'apply', documents: [one] })).toMatchObject({
        ok: false,
        issues: [{ path: 'web: spec.type', problem: 'a workload cannot change its type' }],
      });
  });

  it('takes no more here than the whole quota of its project', () => {
    const documents = [document('more', { placement: { replicas: 3 } })];
    expect(decide({ verb: 'apply', documents })).toMatchObject({
      code: 'over-quota',
      issues: [{ path: 'quota.shop.replicas', value: '5', allowed: 'at most 4' }],
    });
  });

  it('begins nothing of a project whose quota the site was not told', () => {
    const documents = [document('new')];
    const more = access({ quotas: [], moreQuotas: true });
    expect(decide({ verb: 'apply', documents }, [], more)).toMatchObject({ code: 'over-quota' });
    expect(decide({ verb: 'apply', documents }, [], access({ quotas: [] }))).toMatchObject({ ok: true });
    expect(decide({ verb: 'apply', documents }, undefined, more)).toMatchObject({ ok: true });
  });
});
