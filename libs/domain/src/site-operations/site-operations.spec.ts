import {
  assignmentSchema,
  LIMITS,
  workloadDocumentSchema,
  type Access,
  type Assignment,
  type Decided,
  type JournalEntry,
  type Operation,
  type OperatorRequest,
  type Override,
  type Workload,
} from '@skerry/contracts';
import { refuseDecided, siteCommandId } from '../admission/decided.js';
import { accessFor, ACCESS_RENEW_MS, ACCESS_VALID_MS } from '../replication/access.js';
import { site, workload } from '../replication/examples.suite.js';
import { admitRequest, refuseOperation } from './admit-request.js';
import { decideSiteChange, type HeldAtSite } from './decide-change.js';
import { siteReport } from './site-report.js';

const NOW = Date.parse('2026-05-01T12:00:00.000Z');
const at = (ms: number) => new Date(NOW + ms).toISOString();
const KEY = `U${'B'.repeat(55)}`;
const token = (id: string, change: object = {}) => ({
  kind: 'ApiToken' as const,
  id,
  secretSha256: '0'.repeat(64),
  offlineKey: KEY,
  subject: 'ann',
  role: 'operator' as const,
  createdAt: at(0),
  expiresAt: at(90 * 86_400_000),
  ...change,
});

function access(change: Partial<Access> = {}, quotas: object = { replicas: 4 }): Access {
  const made = accessFor({
    site: { ...site('s1'), jurisdictions: ['us'], labels: { tier: 'edge' } },
    tokens: [token('aaaaaaaa')],
    quotas: [{ kind: 'Quota', project: 'shop', ...quotas }],
    projects: new Set(['shop']),
    there: undefined,
    nowMs: NOW,
  });
  if (made === undefined) throw new Error('nothing was made');
  return { ...made, ...change };
}

describe('what a site knows of who may act there', () => {
  const input = {
    site: site('s1'),
    quotas: [],
    projects: new Set(['shop']),
    tokens: [token('aaaaaaaa')],
    there: undefined,
    nowMs: NOW,
  };

  it('is delivered when it is new, when it changed, and anew every hour', () => {
    const first = accessFor(input);
    expect(first?.tokens.map((t) => t.id)).toEqual(['aaaaaaaa']);
    expect(Date.parse(first?.validUntil ?? '') - NOW).toBe(ACCESS_VALID_MS);
    const later = { ...input, there: first, nowMs: NOW + ACCESS_RENEW_MS - 1 };
    expect(accessFor(later)).toBeUndefined();
    expect(accessFor({ ...later, nowMs: NOW + ACCESS_RENEW_MS })).toMatchObject({
      issuedAt: at(ACCESS_RENEW_MS),
    });
    expect(accessFor({ ...later, tokens: [] })).toMatchObject({ tokens: [] });
  });

  it('is newer than what lies there even when this clock is behind', () => {
    const there = accessFor(input);
    const next = accessFor({ ...input, tokens: [], there, nowMs: NOW - 60_000 });
    expect(next?.generation).toBe(NOW + 1);
  });

  it('says nothing of projects that have nothing there, but that there are more', () => {
    const quotas = ['shop', 'bank'].map((project) => ({ kind: 'Quota' as const, project, replicas: 4 }));
    expect(accessFor({ ...input, quotas })).toMatchObject({
      quotas: [{ project: 'shop' }],
      moreQuotas: true,
    });
    const there = accessFor({ ...input, quotas: quotas.slice(0, 1) });
    expect(there?.moreQuotas).toBeUndefined();
    expect(accessFor({ ...input, quotas: quotas.slice(0, 1), there })).toBeUndefined();
    const both = accessFor({ ...input, quotas, projects: new Set(['shop', 'bank']), there });
    expect(both?.quotas.map((q) => q.project)).toEqual(['bank', 'shop']);
  });

  it('fits its bytes, whoever is named how: those who may change most come first', () => {
    const many = Array.from({ length: LIMITS.accessTokens }, (_, i) =>
      token(`v${String(i).padStart(8, '0')}`, { role: 'viewer', subject: 'é'.repeat(128) }),
    );
    const made = accessFor({ ...input, tokens: [...many, token('zzzzzzzz', { role: 'admin' })] });
    expect(Buffer.byteLength(JSON.stringify(made))).toBeLessThan(LIMITS.accessBytes + 2_048);
    expect(made?.tokens[0]).toMatchObject({ id: 'zzzzzzzz' });
    expect(made?.tokens.length).toBeGreaterThan(100);
  });

  it('leaves out tokens that have expired, or cannot sign', () => {
    const tokens = [token('aaaaaaaa', { expiresAt: at(-1) }), token('bbbbbbbb', { offlineKey: undefined })];
    expect(accessFor({ ...input, tokens })?.tokens).toEqual([]);
  });
});

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

describe('a change that comes to the hub with its site', () => {
  const [here, there] = ['0123456789abcdef', 'fedcba9876543210'];
  const idOf = (id: string, ms = 0, mark = here) => siteCommandId(mark, at(ms), id);
  const known = workload({ generation: 4, updatedAt: at(60_000), requestId: 'request-0' });
  const over = (generation: number) => ({
    at: at(0),
    after: [],
    unknown: [],
    bases: { 'shop.web': generation },
  });
  const ask = (decided: Decided | undefined, workload_: Workload | undefined, id = idOf('change-2')) =>
    refuseDecided(decided, id, [{ ref: { project: 'shop', name: 'web' }, known: workload_ }])?.title;

  it('counts when the workload is still as the site knew it, whatever the clocks say', () => {
    expect(ask(over(4), known)).toBeUndefined();
    expect(ask(undefined, workload({ generation: 9 }))).toBeUndefined();
  });

  it('overwrites nothing that was changed at the hub meanwhile, earlier or later by whatever clock', () => {
    expect(ask(over(3), known)).toContain('is at generation 4, and the site decided over 3');
    expect(ask(over(3), { ...known, updatedAt: at(-60_000) })).toContain('is at generation 4');
    expect(ask(over(4), { ...known, removed: true })).toContain('was removed');
    expect(ask(over(4), undefined)).toContain('was removed');
  });

  it('follows what went before it from the same site, and nothing else', () => {
    const after = { ...over(3), after: ['change-1'] };
    const made = (requestId: string) => workload({ generation: 4, requestId });
    expect(ask(after, made(idOf('change-1')))).toBeUndefined();
    expect(ask(over(3), made(idOf('change-1')))).toContain('is at generation 4');
    expect(ask(after, made(idOf('change-1', 0, there)))).toContain('is at generation 4');
    // Its id is known at the site, and it was not made there.
    expect(ask({ ...over(3), after: ['request-0'] }, made('request-0'))).toContain('is at generation 4');
  });

  it('comes too late when the one that it says went before was asked for after it: it was held back, or is played again', () => {
    const after = { ...over(3), after: ['change-1'] };
    const later = workload({ generation: 4, requestId: idOf('change-1', 3_600_000) });
    expect(ask(after, later)).toContain('is at generation 4');
    const clocksApart = workload({ generation: 4, requestId: idOf('change-1', 5 * 60_000) });
    expect(ask(after, clocksApart)).toBeUndefined();
  });

  it('is refused when the site took for new what is there, or was removed since', () => {
    const begun = { at: at(0), after: [], unknown: ['shop.web'] };
    expect(ask(begun, known)).toContain('was there already');
    expect(ask(begun, workload({ removed: true, updatedAt: at(-60_000) }))).toBeUndefined();
    expect(ask(begun, workload({ removed: true, updatedAt: at(60_000) }))).toContain('was removed after');
    expect(ask(begun, undefined)).toBeUndefined();
  });
});

describe('the report of a site', () => {
  let n = 0;
  const entry = (what: JournalEntry['what'], ms: number, more: Partial<JournalEntry> = {}): JournalEntry => {
    n += 1;
    return {
      kind: 'JournalEntry',
      id: `entry-${String(n).padStart(12, '0')}`,
      site: 's1',
      node: 'n1',
      at: at(ms),
      class: 'state',
      what,
      ...more,
    };
  };
  const entries = [
    entry('agent-started', 0),
    entry('cut-off', 1_000),
    entry('operation', 2_000, { requestId: 'request-1', by: 'ann', text: 'stop shop/web' }),
    entry('replicas', 3_000, { project: 'shop', name: 'web', counts: { restarts: 2, ended: 2 } }),
    entry('node-lost', 3_500, { text: 'n2' }),
    entry('agent-started', 4_000),
    entry('replicas', 5_000, { project: 'shop', name: 'web', counts: { restarts: 1 } }),
    entry('returned', 6_000),
    entry('change-decided', 6_500, {
      requestId: 'request-1',
      outcome: 'rejected',
      text: 'changed meanwhile',
    }),
    entry('settled', 16_000, { counts: { kept: 3, started: 0, drained: 1 } }),
    entry('replicas', 20_000, { project: 'shop', name: 'web', counts: { restarts: 9 } }),
  ];
  const report = (of: JournalEntry[]) => siteReport('s1', of, { from: 'site', at: at(30_000) });

  it('says what happened while the hub was away, and nothing of what came after', () => {
    expect(report(entries).absences).toEqual([
      {
        from: at(1_000),
        to: at(6_000),
        agentStarts: 1,
        workloads: [{ project: 'shop', name: 'web', restarts: 3, ended: 2 }],
        nodesLost: [{ node: 'n2', at: at(3_500) }],
        replicas: { kept: 3, started: 0, drained: 1 },
        entries: 7,
      },
    ]);
  });

  it('says what became of each change', () => {
    expect(report(entries).changes).toEqual([
      {
        requestId: 'request-1',
        at: at(2_000),
        by: 'ann',
        what: 'stop shop/web',
        state: 'rejected',
        reason: 'changed meanwhile',
      },
    ]);
  });

  it('fits a message, whatever happened: workloads are left out before changes', () => {
    const many = Array.from({ length: 60 }, (_, i) => [
      entry('cut-off', i * 1_000),
      ...Array.from({ length: 120 }, (_w, w) =>
        entry('replicas', i * 1_000 + 1, {
          project: `project-${'p'.repeat(50)}`,
          name: `workload-${'w'.repeat(40)}-${w}`,
          counts: { restarts: 1 },
        }),
      ),
      entry('returned', i * 1_000 + 2),
    ]).flat();
    const changes = Array.from({ length: 300 }, (_, i) =>
      entry('operation', i, { requestId: `request-${i}`, by: 'ann', text: 'é'.repeat(300) }),
    );
    const told = report([...many, ...changes]);
    expect(Buffer.byteLength(JSON.stringify(told))).toBeLessThanOrEqual(LIMITS.siteReportBytes);
    expect(told.changes).toHaveLength(300);
    expect(told.absences).toHaveLength(LIMITS.absencesPerReport);
    expect(told.absences[0]?.workloads.length).toBeGreaterThan(10);
  });

  it('is the same in whatever order entries come, and however often', () => {
    expect(report([...entries.toReversed(), ...entries])).toEqual(report(entries));
  });
});
