import { describe, expect, it } from '@jest/globals';
import { cronSchema } from '@skerry/contracts';
import { reconcile } from './reconcile.js';
import type { HeldReplica, Wanted } from './reconcile-types.js';

const at = (time: string) => Date.parse(`2026-01-01T${time}Z`);
const NOON = at('12:00:00.000');

function wanted(cron: object = {}, given: Partial<Wanted> = {}): Wanted {
  return {
    replicas: 1,
    template: 't',
    policy: 'on-failure',
    backoffMs: 500,
    maxBackoffMs: 30_000,
    maxUnavailable: 1,
    healthyDeadlineMs: 120_000,
    cron: { schedule: cronSchema.parse({ schedule: '*/5 * * * *', ...cron }), fromMs: at('11:58:00.000') },
    ...given,
  };
}

function run(due: string, phase: HeldReplica['phase'], given: Partial<HeldReplica> = {}): HeldReplica {
  const runMs = at(due);
  return { slot: 0, template: 't', phase, sinceMs: runMs, startedAtMs: runMs, streak: 0, runMs, ...given };
}

const decide = (want: Wanted, held: HeldReplica[], nowMs: number) => reconcile({ wanted: want, held, nowMs });
const actions = (want: Wanted, held: HeldReplica[], nowMs = NOON) => decide(want, held, nowMs).actions;
const start = (slot: number, runMs: number) => ({ kind: 'start', slot, fresh: true, runMs });

describe('a run', () => {
  it('starts when it is due, and not before', () => {
    expect(decide(wanted(), [], at('11:59:59.500'))).toEqual({ actions: [], wakeAtMs: NOON });
    expect(actions(wanted(), [])).toEqual([start(0, NOON)]);
  });

  it('has as many replicas as are wanted at the site', () => {
    expect(actions(wanted({}, { replicas: 2 }), [])).toEqual([start(0, NOON), start(1, NOON)]);
  });

  it('is not started twice, whatever became of it', () => {
    for (const phase of ['running', 'completed', 'failed'] as const) {
      expect(actions(wanted(), [run('12:00:00', phase)], at('12:04:00'))).toEqual([]);
    }
  });

  it('that fails is tried again as the same run', () => {
    const failed = run('12:00:00', 'ended', { ending: { cause: 'exited', code: 1 } });
    expect(actions(wanted(), [failed], at('12:01:00'))).toMatchObject([{ kind: 'backoff', slot: 0 }]);
    const waiting = run('12:00:00', 'backoff', { retryAtMs: at('12:01:00') });
    expect(actions(wanted(), [waiting], at('12:02:00'))).toEqual([{ kind: 'start', slot: 0, fresh: false }]);
  });

  it('of the time before the workload came here is not made up for', () => {
    expect(actions(wanted(), [], at('11:59:00'))).toEqual([]);
  });

  it('that was missed is made up for once: the last of them', () => {
    const before = run('12:00:00', 'completed');
    expect(actions(wanted(), [before], at('12:37:11'))).toEqual([start(0, at('12:35:00'))]);
  });

  it('is due by the clock of its time zone, once when the clock is set forward over it', () => {
    const berlin = wanted({ schedule: '30 2 * * *', timeZone: 'Europe/Berlin' });
    const night = { ...berlin, cron: { ...must(berlin.cron), fromMs: Date.parse('2026-03-28T12:00:00Z') } };
    const starts = [];
    let held: HeldReplica[] = [];
    for (
      let now = Date.parse('2026-03-28T23:00:00Z');
      now < Date.parse('2026-03-29T12:00:00Z');
      now += 600_000
    ) {
      const found = actions(night, held, now);
      starts.push(...found);
      for (const a of found)
        if (a.kind === 'start') held = [run('00:00:00', 'completed', { runMs: a.runMs ?? 0 })];
    }
    expect(starts).toHaveLength(1);
  });

  it('of an older version goes on to its end; the next one is of the new version', () => {
    const old = run('12:00:00', 'running', { template: 'old' });
    expect(actions(wanted(), [old], at('12:01:00'))).toEqual([]);
  });
});

describe('overlap', () => {
  const busy = run('12:00:00', 'running');
  const NEXT = at('12:05:00');

  it('skip leaves the run out for good', () => {
    expect(decide(wanted(), [busy], NEXT)).toMatchObject({ actions: [], leftOutMs: NEXT });
  });

  it('replace ends the last one first, then starts', () => {
    const want = wanted({ overlap: 'replace' });
    expect(actions(want, [busy], NEXT)).toEqual([{ kind: 'stop', slot: 0, why: 'next-run' }]);
    expect(actions(want, [{ ...busy, phase: 'stopping' }], NEXT + 1)).toEqual([]);
    const ended: HeldReplica = { ...busy, phase: 'ended', ending: { cause: 'set-aside' } };
    expect(actions(want, [ended], NEXT + 2)).toEqual([start(0, NEXT)]);
  });

  it('allow has both, in slots of their own, and clears the older when it has ended', () => {
    const want = wanted({ overlap: 'allow' });
    expect(actions(want, [busy], NEXT)).toEqual([start(1, NEXT)]);
    const second = run('12:05:00', 'completed', { slot: 1 });
    expect(actions(want, [busy, second], at('12:06:00'))).toEqual([]);
    expect(actions(want, [busy, second], at('12:10:00'))).toEqual([start(1, at('12:10:00'))]);
    const third = run('12:10:00', 'running', { slot: 2 });
    expect(actions(want, [busy, second, third], at('12:11:00'))).toEqual([{ kind: 'forget', slot: 1 }]);
  });

  it('allow has at most eight at once', () => {
    const many = Array.from({ length: 8 }, (_, slot) => run(`11:${20 + slot * 5}:00`, 'running', { slot }));
    const want = wanted({ overlap: 'allow' });
    expect(decide(want, many, NEXT)).toMatchObject({ actions: [], leftOutMs: NEXT });
  });
});

it('looks at the clock at least every minute', () => {
  expect(decide(wanted({ schedule: '0 3 * * *' }), [], NOON).wakeAtMs).toBe(NOON + 60_000);
});

it('without replicas, or not wanted, runs nothing and clears what is left', () => {
  const left = [run('12:00:00', 'completed'), run('12:05:00', 'running', { slot: 1 })];
  expect(reconcile({ held: left, nowMs: at('12:06:00') }).actions).toEqual([
    { kind: 'forget', slot: 0 },
    { kind: 'stop', slot: 1, why: 'not-wanted' },
  ]);
  expect(actions(wanted({}, { replicas: 0 }), [left[0] ?? busyNever()], at('12:06:00'))).toEqual([
    { kind: 'forget', slot: 0 },
  ]);
});

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('there is none');
  return value;
}

function busyNever(): HeldReplica {
  throw new Error('there is one');
}
