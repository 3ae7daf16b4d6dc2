import { describe, expect, it } from '@jest/globals';
import { workloadSpecSchema } from '@skerry/contracts';
import { contradictions, type Around, type Draft } from './contradictions.js';

const NOW = Date.parse('2026-01-01T00:00:00.000Z');
const run = { command: ['true'] };

function draft(spec: Record<string, unknown>, name = 'web'): Draft {
  return { project: 'shop', name, spec: workloadSpecSchema.parse({ run, ...spec }) };
}

function around(others: Draft[] = [], sites: { jurisdictions: string[] }[] = []): Around {
  return {
    at: NOW,
    sites: () => sites,
    workload: (project, name) => others.find((o) => o.project === project && o.name === name),
  };
}

const faults = (spec: Record<string, unknown>, near = around()) =>
  contradictions(draft(spec), near).map((issue) => `${issue.path}: ${issue.problem}`);
const placement = (rules: Record<string, unknown>, near = around()) => faults({ placement: rules }, near);
const users = [{ country: 'DE' }];

describe('rules that can be met', () => {
  const fine: [string, Record<string, unknown>][] = [
    ['a service of any kind', {}],
    ['three that survive the loss of one', { replicas: 3, survive: { sites: 1 } }],
    ['a range whose most is enough', { replicas: { min: 2, max: 3 }, survive: { sites: 1 } }],
    ['two with a headroom of two', { replicas: 2, survive: { sites: 1 }, traffic: { headroom: 2 } }],
    ['two thirds and a third', { replicas: 3, spread: { over: 'zone', targets: { a: 70, b: 30 } } }],
    [
      'a target of a residency',
      {
        replicas: 2,
        residency: { allow: ['eu', 'us'] },
        spread: { over: 'jurisdiction', targets: { eu: 50, us: 50 } },
      },
    ],
    [
      'as many as there are values',
      { replicas: 2, distinct: 'kind', sites: { kinds: { allow: ['edge', 'onprem'] } } },
    ],
    ['a budget of nothing: own machines cost nothing', { budgetPerMonth: 0 }],
    [
      'near in a jurisdiction, apart in a site',
      { affinity: [{ workload: 'db', over: 'jurisdiction' }], antiAffinity: [{ workload: 'db' }] },
    ],
    [
      'between two versions',
      {
        sites: {
          match: [
            { label: 'kernel', op: 'gte', values: ['5.15.0'] },
            { label: 'kernel', op: 'lt', values: ['6.2.0'] },
          ],
        },
      },
    ],
  ];
  it.each(fine)('%s', (_name, rules) => {
    expect(placement(rules)).toEqual([]);
  });
});

describe('survive', () => {
  it('needs so many replicas that without one the rest carries all', () => {
    expect(placement({ replicas: 2, survive: { sites: 1 } })).toEqual([
      'spec.placement.survive: 2 replicas cannot carry all users when one is lost',
    ]);
    const [issue] = contradictions(draft({ placement: { replicas: 2, survive: { sites: 1 } } }), around());
    expect(issue?.allowed).toBe('replicas: {min: 2, max: 3}, or a headroom of 2');
  });

  it('needs a second replica and a second site', () => {
    expect(placement({ survive: { sites: 1 } })).toEqual([
      'spec.placement.survive: 1 replica cannot carry all users when one is lost',
    ]);
    const one = { replicas: 4, survive: { sites: 1 }, sites: { required: { name: 'fjord' } } };
    expect(placement(one)).toEqual([
      'spec.placement.survive: only fjord may be taken, and nothing is left when it is lost',
    ]);
  });
});

describe('spread targets', () => {
  const over = (label: string, targets: Record<string, number>, more: Record<string, unknown> = {}) =>
    placement({ replicas: 4, spread: { over: label, targets }, ...more });

  it('are no more than the number of replicas can show', () => {
    expect(over('zone', { a: 95, b: 5 })).toEqual([
      'spec.placement.spread.targets.b: 5% of 4 replicas is none',
    ]);
  });

  it('do not contradict residency, unless a site is known that is of both', () => {
    const half = { us: 50, eu: 50 };
    const said = [
      'spec.placement.spread.targets.us: residency does not allow it: these replicas could never be placed',
    ];
    expect(over('jurisdiction', half, { residency: { allow: ['eu'] } })).toEqual(said);
    expect(over('jurisdiction', half, { residency: { deny: ['us'] } })[0]).toContain('residency denies it');
    const both = around([], [{ jurisdictions: ['de', 'eu'] }]);
    const german = {
      replicas: 2,
      residency: { allow: ['eu'] },
      spread: { over: 'jurisdiction', targets: { de: 50, eu: 50 } },
    };
    expect(placement(german, both)).toEqual([]);
    expect(placement(german)).toHaveLength(1);
  });

  it('do not contradict required labels, providers and kinds', () => {
    expect(over('zone', { a: 50, b: 50 }, { sites: { required: { zone: ['a', 'c'] } } })).toHaveLength(1);
    expect(over('provider', { x: 50, y: 50 }, { sites: { providers: { deny: ['y'] } } })).toHaveLength(1);
    expect(over('kind', { edge: 50, boat: 50 })).toEqual([
      'spec.placement.spread.targets.boat: no site can be of this kind: these replicas could never be placed',
    ]);
  });

  it('leave nothing to the others when there are no others', () => {
    const rest = { a: 50, '*': 50 };
    expect(over('zone', rest, { sites: { required: { zone: 'a' } } })).toEqual([
      'spec.placement.spread.targets.*: no value of zone is left beside those named',
    ]);
  });
});

describe('distinct', () => {
  it('needs a value for each replica, where the values are known', () => {
    const rules = { replicas: 3, distinct: 'provider', sites: { providers: { allow: ['a', 'b'] } } };
    expect(placement(rules)).toEqual([
      'spec.placement.distinct: 3 replicas, and only 2 possible values of provider',
    ]);
    expect(placement({ replicas: 7, distinct: 'kind' })).toHaveLength(1);
    expect(placement({ replicas: 700, distinct: 'zone' })).toEqual([]);
  });
});

describe('labels', () => {
  const match = (...rules: [string, string, ...string[]][]) =>
    placement({ sites: { match: rules.map(([label, op, ...values]) => ({ label, op, values })) } });

  it('that no site can have together are refused', () => {
    expect(match(['gpu', 'in', 'a'], ['gpu', 'notIn', 'a'])).toHaveLength(1);
    expect(match(['gpu', 'exists'], ['gpu', 'absent'])).toHaveLength(1);
    expect(match(['name', 'absent'])).toHaveLength(1);
    expect(match(['cores', 'gt', '8'], ['cores', 'lte', '8'])).toHaveLength(1);
    expect(match(['kernel', 'gte', '5.15.0'], ['kernel', 'lt', '5.9.0'])).toHaveLength(1);
  });

  it('contradict residency when they name what it denies', () => {
    const rules = { sites: { required: { jurisdiction: 'us' } }, residency: { deny: ['us'] } };
    expect(placement(rules)).toEqual(['spec.placement.sites.required.jurisdiction: residency denies it']);
  });
});

describe('pairs', () => {
  const near = (workload: string, over = 'site') => ({ affinity: [{ workload, over }] });
  const apart = (workload: string, over = 'site') => ({ antiAffinity: [{ workload, over }] });
  const other = (name: string, rules: Record<string, unknown>) => draft({ placement: rules }, name);

  it('are of two workloads', () => {
    expect(placement(near('web'))).toEqual(['spec.placement.affinity[0].workload: the workload itself']);
    expect(placement(apart('shop/web'))).toHaveLength(1);
    expect(placement(near('other/web'))).toEqual([]);
  });

  it('are not near and apart at once', () => {
    expect(placement({ ...near('db'), ...apart('db', 'jurisdiction') })).toHaveLength(1);
    expect(placement({ ...near('db', 'provider'), ...apart('db', 'provider') })).toHaveLength(1);
  });

  it('do not wait for each other in a circle', () => {
    const circle = around([other('db', near('cache')), other('cache', near('web'))]);
    expect(placement(near('db'), circle)).toEqual([
      'spec.placement.affinity[0]: a circle, in which none can be placed first: shop/web → shop/db → shop/cache → shop/web',
    ]);
    expect(placement(near('db'), around([other('db', near('cache'))]))).toEqual([]);
  });

  it('do not drive each other out', () => {
    expect(placement(near('db'), around([other('db', apart('web'))]))[0]).toContain('keeps away from');
    expect(placement(apart('db'), around([other('db', near('web'))]))[0]).toContain('follows');
  });
});

describe('types', () => {
  it('rule out what they cannot have', () => {
    expect(
      faults({ type: 'daemon', placement: { replicas: 2, spread: {}, survive: { sites: 1 } } }),
    ).toHaveLength(3);
    expect(faults({ type: 'singleton', placement: { survive: { sites: 1 } } })).toHaveLength(1);
    expect(faults({ type: 'job', run: { ...run, restart: { policy: 'always' } } })).toHaveLength(1);
  });

  it('a cron has a schedule that is due some day, in a time zone that exists', () => {
    const cron = (schedule: string, timeZone = 'UTC') =>
      faults({ type: 'cron', cron: { schedule, timeZone } });
    expect(cron('*/5 * * * *', 'Europe/Berlin')).toEqual([]);
    expect(cron('0 0 30 2 *')).toEqual(['spec.cron.schedule: is never due']);
    expect(cron('61 * * * *')[0]).toContain('spec.cron.schedule');
    expect(cron('2026-01-01T00:00:00')).toEqual(['spec.cron.schedule: 1 fields']);
    expect(cron('0 3 * * *', 'Mars/Phobos')).toEqual(['spec.cron.timeZone: no such time zone']);
  });
});

it('is refused with every reason at once', () => {
  const rules = { maxLatencyMs: 20, preempts: true, survive: { sites: 1 }, affinity: [{ workload: 'web' }] };
  expect(placement(rules)).toHaveLength(4);
  expect(placement({ maxLatencyMs: 20, users })).toEqual([]);
});
