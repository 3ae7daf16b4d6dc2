import { describe, expect, it } from '@jest/globals';
import { CHECKS, preparedChecks, resultOf } from './checks/index.js';
import {
  cloud,
  PLACES,
  request,
  site,
  workload,
  type Rules,
  type SiteExample,
} from './example-cloud.suite.js';
import type { PlaceRequest } from './types.js';

interface Case {
  site?: Omit<SiteExample, 'name'>;
  rules?: Rules;
  present?: number;
  users?: { lat: number; lon: number; weight: number }[];
  more?: Partial<PlaceRequest>;
  /** Another workload, `shop/db`, at these sites. */
  db?: string[];
}

/** What one check finds of site `here`, beside a site `there` in zone `y`. */
function found(name: string, made: Case) {
  const facts = site({ name: 'here', ...made.site });
  const snapshot = cloud([facts, site({ name: 'there', labels: { zone: 'y' }, provider: 'other' })]);
  const held = (made.db ?? []).map((at) => ({ site: at, replicas: 1 }));
  snapshot.ledger.hold('shop.db', workload().spec.resources, held);
  const asked = request(workload({ rules: made.rules ?? {}, users: made.users ?? [] }), {
    present: new Map([['here', made.present ?? 0]]),
    ...made.more,
  });
  const prepared = preparedChecks(asked, snapshot).find((c) => c.check.name === name);
  if (!prepared) throw new Error(`no check ${name}`);
  const present = made.present ?? 0;
  const result = resultOf(prepared, { facts, request: asked, snapshot, present });
  return { most: prepared.limit?.(facts, present) ?? Number.POSITIVE_INFINITY, ...result };
}

const most = (name: string, made: Case) => found(name, made).most;
const ALL = Number.POSITIVE_INFINITY;
const match = (label: string, op: string, ...values: string[]): Rules => ({
  sites: { match: [{ label, op, values }] },
});

it('has a name of its own for every check', () => {
  expect(new Set(CHECKS.map((check) => check.name)).size).toBe(CHECKS.length);
});

describe('labels', () => {
  const here = { labels: { zone: 'x', cores: '16', kernel: '5.15.0-105-generic' } };
  const cases: [string, Rules, boolean][] = [
    ['in', match('zone', 'in', 'w', 'x'), true],
    ['in another', match('zone', 'in', 'y'), false],
    ['not in', match('zone', 'notIn', 'y'), true],
    ['not in, without the label', match('rack', 'notIn', 'y'), true],
    ['exists', match('rack', 'exists'), false],
    ['absent', match('rack', 'absent'), true],
    ['a number above', match('cores', 'gt', '9'), true],
    ['a number not above', match('cores', 'gt', '16'), false],
    ['a version at least', match('kernel', 'gte', '5.9.2'), true],
    ['a version below', match('kernel', 'lt', '5.15.0'), false],
    ['a label that is no number', match('zone', 'lte', '3'), false],
  ];
  it.each(cases)('%s', (_name, rules, ok) => {
    expect(found('labels', { site: here, rules }).ok).toBe(ok);
  });

  it('say which are missing, and what to set', () => {
    const rules = {
      sites: { required: { gpu: ['a100', 'h100'] }, match: [{ label: 'zone', op: 'notIn', values: ['x'] }] },
    };
    expect(found('labels', { site: here, rules })).toMatchObject({
      has: 'gpu=(none), zone=x',
      needs: 'gpu in a100|h100, zone not in x',
      remedy: 'label here gpu=a100 zone-',
    });
  });
});

describe('kind and provider', () => {
  it('are allowed and not denied', () => {
    expect(most('kind', { rules: { sites: { kinds: { allow: ['onprem'] } } } })).toBe(ALL);
    expect(most('kind', { rules: { sites: { kinds: { deny: ['onprem'] } } } })).toBe(0);
    expect(found('provider', { rules: { sites: { providers: { allow: ['a', 'b'] } } } })).toMatchObject({
      ok: false,
      has: 'own',
      needs: 'one of a, b',
      remedy: 'allow own in spec.placement.sites.providers',
    });
  });
});

describe('taints', () => {
  const tainted = (effect: string) => ({ more: { taints: [{ key: 'fragile', value: 'yes', effect }] } });
  const tolerations = (value?: string): Rules => ({
    tolerations: [{ key: 'fragile', ...(value === undefined ? {} : { value }) }],
  });

  it('keep new work away; only no-run moves away what is there', () => {
    expect(most('taints', { site: tainted('no-new'), present: 2 })).toBe(2);
    expect(most('taints', { site: tainted('no-new') })).toBe(0);
    expect(most('taints', { site: tainted('no-run'), present: 2 })).toBe(0);
  });

  it('do not matter to who tolerates the key, with any value or with theirs', () => {
    expect(most('taints', { site: tainted('no-run'), rules: tolerations() })).toBe(ALL);
    expect(most('taints', { site: tainted('no-run'), rules: tolerations('yes') })).toBe(ALL);
    expect(most('taints', { site: tainted('no-run'), rules: tolerations('no') })).toBe(0);
  });

  it('say how to tolerate them', () => {
    expect(found('taints', { site: tainted('no-new') })).toMatchObject({
      has: 'fragile=yes:no-new',
      remedy: 'tolerate it: tolerations: [{key: fragile, value: yes}]',
    });
  });
});

describe('cordon and drain', () => {
  it('a cordoned site keeps what it has, a draining one nothing', () => {
    expect(most('cordon', { site: { cordoned: true }, present: 2 })).toBe(2);
    expect(most('drain', { site: { draining: true }, present: 2 })).toBe(0);
  });
});

describe('latency', () => {
  const users = [
    { ...PLACES.tokyo, weight: 9 },
    { ...PLACES.berlin, weight: 1 },
  ];
  it('is asked of the nearest users alone', () => {
    const rules = { maxLatencyMs: 30 };
    expect(most('latency', { site: PLACES.frankfurt, rules, users })).toBe(ALL);
    expect(most('latency', { site: PLACES.washington, rules, users })).toBe(0);
    expect(found('latency', { site: PLACES.washington, rules, users }).remedy).toMatch(/^maxLatencyMs: \d+$/);
  });

  it('believes what was measured before what is estimated', () => {
    const measuredMs = [undefined, new Map([['here', 95]])];
    const here = { site: PLACES.frankfurt, rules: { maxLatencyMs: 30 }, users, more: { measuredMs } };
    expect(found('latency', here)).toMatchObject({ ok: false, has: expect.stringContaining('95.0 ms to') });
  });

  it('reaches over the date line', () => {
    const fiji = [{ lat: -18, lon: 178, weight: 1 }];
    expect(
      most('latency', { site: { lat: -13.8, lon: -171.8 }, rules: { maxLatencyMs: 25 }, users: fiji }),
    ).toBe(ALL);
  });
});

describe('data and bandwidth', () => {
  it('every dataset has a copy', () => {
    const here = { more: { datasets: ['maps'] } };
    expect(most('datasets', { site: here, rules: { datasets: ['maps'] } })).toBe(ALL);
    expect(found('datasets', { site: here, rules: { datasets: ['maps', 'faces'] } })).toMatchObject({
      ok: false,
      has: 'maps',
      needs: 'a copy of faces',
      remedy: 'copy faces to here',
    });
  });

  it('a bandwidth that is not known does not pass', () => {
    const rules = { minBandwidthMbps: 100 };
    expect(most('bandwidth', { site: { more: { bandwidthMbps: 100 } }, rules })).toBe(ALL);
    expect(found('bandwidth', { site: { more: { bandwidthMbps: 50 } }, rules }).remedy).toBe(
      'minBandwidthMbps: 50',
    );
    expect(found('bandwidth', { rules })).toMatchObject({ ok: false, remedy: 'say the bandwidth of here' });
  });
});

describe('pairs', () => {
  const near = (over: string): Rules => ({ affinity: [{ workload: 'shop/db', over }] });
  const apart = (over: string): Rules => ({ antiAffinity: [{ workload: 'shop/db', over }] });

  it('near: nowhere before the other is placed, then where it is', () => {
    expect(found('affinity', { rules: near('site') })).toMatchObject({
      ok: false,
      remedy: 'place shop/db first',
    });
    expect(most('affinity', { rules: near('site'), db: ['here'] })).toBe(ALL);
    expect(most('affinity', { rules: near('site'), db: ['there'] })).toBe(0);
    expect(most('affinity', { rules: near('kind'), db: ['there'] })).toBe(ALL);
    expect(found('affinity', { rules: near('provider'), db: ['there'] })).toMatchObject({
      has: 'provider=own',
      needs: 'provider=other, where shop/db is',
      remedy: 'place a replica of shop/db in provider=own',
    });
  });

  it('apart: not where the other is; a site without the label is apart from all', () => {
    expect(most('anti-affinity', { rules: apart('site') })).toBe(ALL);
    expect(most('anti-affinity', { rules: apart('site'), db: ['here'] })).toBe(0);
    expect(most('anti-affinity', { rules: apart('zone'), db: ['there'] })).toBe(ALL);
    expect(most('anti-affinity', { rules: apart('kind'), db: ['there'] })).toBe(0);
  });
});

describe('distinct', () => {
  it('is one replica at a site, and none at a site without the label', () => {
    expect(most('distinct', { rules: { distinct: 'site' } })).toBe(1);
    expect(most('distinct', { rules: { distinct: 'zone' } })).toBe(0);
  });
});

describe('budgets', () => {
  const here = { cpuCoreMonth: 20 };
  it('of the workload and of its project limit how many it pays for', () => {
    expect(most('budget', { site: here, rules: { budgetPerMonth: 50 } })).toBe(2);
    expect(most('project-budget', { site: here, more: { projectBudgetLeft: 45 } })).toBe(2);
    expect(most('project-budget', { more: { projectBudgetLeft: 0 } })).toBe(ALL);
    expect(found('project-budget', { site: here, more: { projectBudgetLeft: 5 } })).toMatchObject({
      needs: 'at most 5.00 a month, what the quota of default leaves',
      remedy: 'raise the budget of default by 15.00',
    });
  });
});

it('every check that fails says what it has and needs', () => {
  const made: Case = { site: { labels: {} }, users: [{ ...PLACES.tokyo, weight: 1 }] };
  for (const { name } of CHECKS) {
    const result = found(name, made);
    expect(result.has).not.toBe('');
    expect(result.needs).not.toBe('');
  }
});
