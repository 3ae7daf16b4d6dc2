import {
  workloadSpecSchema,
  type Observed,
  type Placement,
  type Replica,
  type SitePhase,
  type Version,
  type Workload,
} from '@skerry/contracts';
import * as fc from 'fast-check';
import { placement as placed, version, workload } from '../replication/examples.suite.js';
import { announcedAs, foldStatus } from './fold-status.js';
import { isNewerReport } from './newest.js';
import { MAX_REASONS } from './reasons.js';

const AT = '2026-02-02T00:00:00.000Z';

function replica(slot: number, phase: Replica['phase'], change: Partial<Replica> = {}): Replica {
  return {
    id: `shop.web.eu.${slot}`,
    slot,
    node: 'n1',
    phase,
    version: version(1, 1),
    addresses: {},
    restarts: 0,
    since: AT,
    ...change,
  };
}

function report(site: string, phases: Replica['phase'][], change: Partial<Observed> = {}): Observed {
  return {
    kind: 'Observed',
    site,
    project: 'shop',
    name: 'web',
    version: version(1, 1),
    state: 'accepted',
    wanted: phases.length,
    replicas: phases.map((phase, slot) => replica(slot, phase)),
    reportedAt: AT,
    report: 1,
    ...change,
  };
}

interface Case {
  replicas?: number;
  placement?: Placement | undefined;
  workload?: Partial<Workload>;
  observed?: Observed[];
  phases?: Record<string, SitePhase>;
}

function status(given: Case) {
  const phases: Record<string, SitePhase> = { eu: 'ready', us: 'ready', ...given.phases };
  return foldStatus({
    workload: workload(given.workload, given.replicas ?? 1),
    placement: 'placement' in given ? given.placement : placed({ eu: 1 }),
    observed: given.observed ?? [],
    siteState: (site) => (phases[site] === undefined ? undefined : { phase: phases[site] }),
    at: AT,
  });
}

const job = (replicas = 1): Partial<Workload> => ({
  spec: workloadSpecSchema.parse({ type: 'job', run: { command: ['true'] }, placement: { replicas } }),
});
const refusal = { check: 'capacity', ok: false, has: '10 MiB', needs: '64 MiB' };

describe('the phase of a workload', () => {
  it.each<[string, Case, string]>([
    ['placing, until there is a decision', { placement: undefined }, 'placing'],
    ['placing, while the decision is of an older generation', { workload: { generation: 2 } }, 'placing'],
    ['starting, before its sites have reported', {}, 'starting'],
    ['starting, while replicas start', { observed: [report('eu', ['starting'])] }, 'starting'],
    ['running, when all run', { observed: [report('eu', ['running'])] }, 'running'],
    [
      'starting, while a site has not acted on the newest version',
      { observed: [report('eu', ['running'], { version: version(1, 0) })] },
      'starting',
    ],
    ['degraded, when a replica is unhealthy', { observed: [report('eu', ['unhealthy'])] }, 'degraded'],
    ['degraded, when a replica waits after ending', { observed: [report('eu', ['backoff'])] }, 'degraded'],
    [
      'degraded, when a site is lost',
      { observed: [report('eu', ['running'])], phases: { eu: 'lost' } },
      'degraded',
    ],
    [
      'running, while a site is only suspect',
      { observed: [report('eu', ['running'])], phases: { eu: 'suspect' } },
      'running',
    ],
    ['failed, when every replica has', { observed: [report('eu', ['failed'])] }, 'failed'],
    [
      'degraded, when a site refuses',
      { observed: [report('eu', [], { state: 'refused', refusal })] },
      'degraded',
    ],
    [
      'unplaceable, when no site can take it',
      { placement: placed({}, { state: 'unplaceable' }) },
      'unplaceable',
    ],
    [
      'degraded, when only a part could be placed',
      {
        replicas: 2,
        placement: placed({ eu: 1 }, { state: 'partial', wanted: 2 }),
        observed: [report('eu', ['running'])],
      },
      'degraded',
    ],
    [
      'stopping, while stopped replicas live',
      { workload: { stopped: true }, observed: [report('eu', ['running'])] },
      'stopping',
    ],
    [
      'stopped, when none lives',
      { workload: { stopped: true }, observed: [report('eu', [], { state: 'absent' })] },
      'stopped',
    ],
    [
      'stopping, while removed replicas live',
      { workload: { removed: true }, observed: [report('eu', ['stopping'])] },
      'stopping',
    ],
    ['removed, when none lives', { workload: { removed: true } }, 'removed'],
    [
      'removed, when the only ones left are at a lost site',
      { workload: { removed: true }, observed: [report('eu', ['running'])], phases: { eu: 'lost' } },
      'removed',
    ],
    ['running, for a job that runs', { workload: job(), observed: [report('eu', ['running'])] }, 'running'],
    [
      'completed, for a job that has',
      { workload: job(), observed: [report('eu', ['completed'])] },
      'completed',
    ],
    [
      'completed, also when the site was lost afterwards',
      { workload: job(), observed: [report('eu', ['completed'])], phases: { eu: 'lost' } },
      'completed',
    ],
    [
      'failed, for a job that will not be tried again',
      { workload: job(), observed: [report('eu', ['failed'])] },
      'failed',
    ],
    [
      'starting, for a job that only an older generation completed',
      {
        workload: { ...job(), generation: 2 },
        placement: placed({ eu: 1 }, { version: version(2, 1) }),
        observed: [report('eu', ['completed'])],
      },
      'starting',
    ],
    [
      'running, for a job of which a part is done and the rest runs',
      { workload: job(2), placement: placed({ eu: 2 }), observed: [report('eu', ['completed', 'running'])] },
      'running',
    ],
  ])('is %s', (_rule, given, phase) => {
    expect(status(given).phase).toBe(phase);
  });
});

describe('the status of a workload', () => {
  it('shows every site with what is wanted, what runs and why there', () => {
    const s = status({
      replicas: 3,
      placement: placed({ eu: 2, us: 1 }),
      observed: [report('eu', ['running', 'running']), report('us', ['starting'])],
    });
    expect(s.sites.map((x) => [x.site, x.wanted, x.running, x.phase, x.why])).toEqual([
      ['eu', 2, 2, 'ready', 'cheapest with room'],
      ['us', 1, 0, 'ready', 'cheapest with room'],
    ]);
    expect([s.running, s.wanted]).toEqual([2, 3]);
  });

  it('never counts more at a site than is wanted there', () => {
    const s = status({ observed: [report('eu', ['running', 'running'])] });
    expect(s.running).toBe(1);
  });

  it('does not wait for a site whose replicas were placed elsewhere until it returns', () => {
    const { shares } = placed({ us: 1, eu: 1 });
    const away = shares.map((s) => (s.site === 'eu' ? { ...s, until: 'returned' as const } : s));
    const s = status({
      placement: { ...placed({ us: 1 }, { version: version(1, 2) }), shares: away },
      observed: [report('us', ['running'], { version: version(1, 2) }), report('eu', ['running'])],
      phases: { eu: 'lost' },
    });
    expect([s.phase, s.running, s.wanted]).toEqual(['running', 1, 1]);
    expect(s.sites.map((x) => [x.site, x.wanted])).toEqual([
      ['us', 1],
      ['eu', 0],
    ]);
  });

  it('counts what stays until it is replaced, and not more than is wanted in all', () => {
    const shares = placed({ us: 1, eu: 1 }).shares;
    const moving = {
      wanted: 1,
      shares: shares.map((s) => (s.site === 'eu' ? { ...s, until: 'replaced' as const } : s)),
    };
    const handing = (us: 'starting' | 'running') =>
      status({
        placement: { ...placed({ us: 1 }), ...moving },
        observed: [report('us', [us]), report('eu', ['running'])],
      });
    expect([handing('starting'), handing('running')].map((s) => [s.phase, s.running, s.wanted])).toEqual([
      ['running', 1, 1],
      ['running', 1, 1],
    ]);
  });

  it('shows a site that is being left, without counting it', () => {
    const s = status({
      placement: placed({ us: 1 }, { version: version(1, 2) }),
      observed: [report('eu', ['running'])],
    });
    expect(s.sites.map((x) => [x.site, x.why])).toEqual([
      ['us', 'cheapest with room'],
      ['eu', 'moving away'],
    ]);
    expect(s.running).toBe(0);
  });

  it('names the reason of every replica and site that is in trouble', () => {
    const failing = { ...replica(0, 'backoff', { exitCode: 3, restarts: 2, message: 'no such file' }) };
    expect(status({ observed: [report('eu', [], { replicas: [failing] })] }).reasons).toEqual([
      'eu replica 0 backoff, exit code 3, 2 restarts: no such file',
    ]);
    expect(status({ phases: { eu: 'lost' } }).reasons[0]).toContain('eu is lost');
    expect(status({ observed: [report('eu', [], { state: 'refused', refusal })] }).reasons).toEqual([
      'eu refused: capacity has 10 MiB, needs 64 MiB',
    ]);
    const none = placed({}, { state: 'unplaceable', wanted: 1, failedChecks: { residency: 2, capacity: 1 } });
    expect(status({ placement: none }).reasons).toEqual([
      '0 of 1 replicas could be placed: capacity fails at 1 site, residency fails at 2 sites',
    ]);
  });

  it('gives no reasons for what runs, and a bounded number else', () => {
    expect(status({ observed: [report('eu', ['running'])] }).reasons).toEqual([]);
    const many = status({
      replicas: 50,
      placement: placed({ eu: 50 }),
      observed: [
        report(
          'eu',
          Array.from({ length: 50 }, () => 'backoff' as const),
        ),
      ],
    });
    expect(many.reasons).toHaveLength(MAX_REASONS + 1);
    expect(many.reasons.at(-1)).toBe('and 34 more');
  });

  it('never counts a lost site as running, whatever is reported', () => {
    const phase = fc.constantFrom<Replica['phase']>(
      'starting',
      'running',
      'unhealthy',
      'backoff',
      'failed',
      'completed',
    );
    fc.assert(
      fc.property(fc.array(phase, { maxLength: 5 }), fc.array(phase, { maxLength: 5 }), (eu, us) => {
        const s = status({
          replicas: 10,
          placement: placed({ eu: 5, us: 5 }),
          observed: [report('eu', eu), report('us', us)],
          phases: { eu: 'lost' },
        });
        expect(s.running).toBe(us.filter((p) => p === 'running').length);
      }),
    );
  });
});

describe('a cron', () => {
  const cron: Partial<Workload> = {
    spec: workloadSpecSchema.parse({
      type: 'cron',
      cron: { schedule: '0 3 * * *' },
      run: { command: ['true'] },
    }),
  };
  const runs = { last: '2026-02-02T03:00:00.000Z', next: '2026-02-03T03:00:00.000Z' };
  const at = (phases: Replica['phase'][]) =>
    status({ workload: cron, observed: [report('eu', phases, { wanted: 1, runs })] });

  it('is well between its runs, and says when it ran and will run', () => {
    expect(at(['completed'])).toMatchObject({ phase: 'running', running: 0, sites: [{ runs }] });
    expect(at([])).toMatchObject({ phase: 'running' });
    expect(at(['running'])).toMatchObject({ phase: 'running', running: 1 });
  });

  it('is degraded when its newest run failed, and starting until its site has heard of it', () => {
    expect(at(['failed']).phase).toBe('degraded');
    expect(status({ workload: cron }).phase).toBe('starting');
  });
});

describe('what is announced', () => {
  it('is what people wait for, once it is so', () => {
    expect(announcedAs('running')).toBe('workload.running');
    expect(announcedAs('removed')).toBe('workload.gone');
    expect(announcedAs('placing')).toBeUndefined();
  });
});

describe('the newest report', () => {
  const at = (number: number, v: Version) => report('eu', [], { report: number, version: v });
  it('is the one with the higher number, over restarts of the agent', () => {
    expect(isNewerReport(at(2, version(1, 1)), at(1, version(1, 1)))).toBe(true);
    expect(isNewerReport(at(1, version(1, 1)), at(2, version(1, 1)))).toBe(false);
    expect(isNewerReport(at(1, version(1, 1)), undefined)).toBe(true);
  });
  it('is also one with a newer version, when a site that joined anew counts from the start', () => {
    expect(isNewerReport(at(1, version(2, 0)), at(9, version(1, 1)))).toBe(true);
  });
});
