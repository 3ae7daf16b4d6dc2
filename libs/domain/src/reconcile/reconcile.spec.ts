import { describe, expect, it } from '@jest/globals';
import { reconcile } from './reconcile.js';
import type { HeldReplica, Wanted } from './reconcile-types.js';

const NOW = 1_000_000;

function wanted(given: Partial<Wanted> = {}): Wanted {
  return {
    replicas: 1,
    template: 'new',
    policy: 'always',
    backoffMs: 500,
    maxBackoffMs: 30_000,
    maxUnavailable: 1,
    healthyDeadlineMs: 120_000,
    ...given,
  };
}

function held(slot: number, given: Partial<HeldReplica> = {}): HeldReplica {
  return { slot, template: 'new', phase: 'running', sinceMs: NOW, startedAtMs: NOW, streak: 0, ...given };
}

const actions = (want: Wanted | undefined, replicas: HeldReplica[], nowMs = NOW) =>
  reconcile({ ...(want === undefined ? {} : { wanted: want }), held: replicas, nowMs }).actions;

describe('how many replicas', () => {
  it('starts what is missing, in its own slot', () => {
    expect(actions(wanted({ replicas: 3 }), [held(1)])).toEqual([
      { kind: 'start', slot: 0, fresh: true },
      { kind: 'start', slot: 2, fresh: true },
    ]);
  });

  it('stops what is too much from the last slot on, and forgets it when it has ended', () => {
    const replicas = [held(0), held(1), held(2, { phase: 'ended', ending: { cause: 'stopped' } })];
    expect(actions(wanted(), replicas)).toEqual([
      { kind: 'stop', slot: 1, why: 'not-wanted' },
      { kind: 'forget', slot: 2 },
    ]);
  });

  it('leaves alone what is as it shall be', () => {
    expect(actions(wanted({ replicas: 2 }), [held(0), held(1)])).toEqual([]);
  });

  it('clears everything when nothing is wanted any more, and waits for what is stopping', () => {
    expect(
      actions(undefined, [held(0, { phase: 'completed' }), held(1), held(2, { phase: 'stopping' })]),
    ).toEqual([
      { kind: 'forget', slot: 0 },
      { kind: 'stop', slot: 1, why: 'not-wanted' },
    ]);
  });
});

describe('a replica that ended', () => {
  const ended = (code: number | undefined, given: Partial<HeldReplica> = {}) =>
    held(0, {
      phase: 'ended',
      ending: { cause: 'exited', ...(code === undefined ? {} : { code }) },
      ...given,
    });

  it('is started again after a wait that doubles with each failure, up to its limit', () => {
    const retryAt = (streak: number) => {
      const [action] = actions(wanted(), [ended(1, { streak })]);
      return action?.kind === 'backoff' ? action.retryAtMs - NOW : undefined;
    };
    expect([0, 1, 2, 5, 6, 50].map(retryAt)).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000]);
  });

  it('begins to count anew when it had been up for longer than the longest wait', () => {
    const steady = ended(1, { streak: 6, startedAtMs: NOW - 30_000 });
    expect(actions(wanted(), [steady])).toEqual([
      { kind: 'backoff', slot: 0, retryAtMs: NOW + 500, streak: 1 },
    ]);
  });

  it('waits until its time has come, says when, then starts as the same replica', () => {
    const waiting = [held(0, { phase: 'backoff', retryAtMs: NOW + 70 })];
    expect(reconcile({ wanted: wanted(), held: waiting, nowMs: NOW })).toEqual({
      actions: [],
      wakeAtMs: NOW + 70,
    });
    expect(actions(wanted(), waiting, NOW + 70)).toEqual([{ kind: 'start', slot: 0, fresh: false }]);
  });

  it('is complete with code 0, unless it shall always run', () => {
    expect(actions(wanted({ policy: 'on-failure' }), [ended(0)])).toEqual([
      { kind: 'settle', slot: 0, phase: 'completed' },
    ]);
    expect(actions(wanted({ policy: 'always' }), [ended(0)])).toMatchObject([{ kind: 'backoff' }]);
  });

  it('counts as failed with a code that nobody saw', () => {
    expect(actions(wanted({ policy: 'on-failure' }), [ended(undefined)])).toMatchObject([
      { kind: 'backoff' },
    ]);
    expect(actions(wanted({ policy: 'never' }), [ended(undefined)])).toEqual([
      { kind: 'settle', slot: 0, phase: 'failed' },
    ]);
  });

  it('is not run again once it has completed or failed, while its template is the same', () => {
    const settled = [held(0, { phase: 'completed' }), held(1, { phase: 'failed' })];
    expect(actions(wanted({ replicas: 2, policy: 'never' }), settled)).toEqual([]);
  });
});

describe('another policy', () => {
  it('runs again what had settled under one that let it rest', () => {
    const failed = [held(0, { phase: 'failed' })];
    expect(actions(wanted({ policy: 'on-failure' }), failed)).toEqual([
      { kind: 'start', slot: 0, fresh: false },
    ]);
    const completed = [held(0, { phase: 'completed' })];
    expect(actions(wanted({ policy: 'on-failure' }), completed)).toEqual([]);
    expect(actions(wanted({ policy: 'always' }), completed)).toEqual([
      { kind: 'start', slot: 0, fresh: false },
    ]);
  });
});

describe('health', () => {
  it('exchanges an unhealthy replica, unless it shall never be started again', () => {
    const sick = [held(0, { phase: 'unhealthy' })];
    expect(actions(wanted(), sick)).toEqual([{ kind: 'stop', slot: 0, why: 'unhealthy' }]);
    expect(actions(wanted({ policy: 'never' }), sick)).toEqual([]);
  });

  it('gives up a start that did not become healthy in time', () => {
    const slow = [held(0, { phase: 'starting' })];
    expect(reconcile({ wanted: wanted(), held: slow, nowMs: NOW }).wakeAtMs).toBe(NOW + 120_000);
    expect(actions(wanted(), slow, NOW + 120_000)).toEqual([{ kind: 'stop', slot: 0, why: 'never-healthy' }]);
  });
});

describe('an update', () => {
  const old = (slot: number, given: Partial<HeldReplica> = {}) => held(slot, { template: 'old', ...given });

  it('stops no more running replicas at once than may be down', () => {
    const three = [old(0), old(1), old(2)];
    expect(actions(wanted({ replicas: 3 }), three)).toEqual([{ kind: 'stop', slot: 0, why: 'outdated' }]);
    expect(actions(wanted({ replicas: 3, maxUnavailable: 2 }), three)).toHaveLength(2);
  });

  it('goes on only when the new replica runs', () => {
    const halfway = (phase: HeldReplica['phase']) =>
      actions(wanted({ replicas: 2 }), [held(0, { phase }), old(1)]);
    expect(halfway('starting')).toEqual([]);
    expect(halfway('backoff')).not.toContainEqual({ kind: 'stop', slot: 1, why: 'outdated' });
    expect(halfway('running')).toEqual([{ kind: 'stop', slot: 1, why: 'outdated' }]);
  });

  it('exchanges at once what does not run anyway', () => {
    const broken = [
      old(0, { phase: 'backoff', retryAtMs: NOW + 9_999 }),
      old(1, { phase: 'starting' }),
      old(2),
    ];
    expect(actions(wanted({ replicas: 3 }), broken)).toEqual([
      { kind: 'start', slot: 0, fresh: true },
      { kind: 'stop', slot: 1, why: 'outdated' },
    ]);
  });

  it('does not wait for what has completed', () => {
    const job = wanted({ replicas: 2, policy: 'on-failure' });
    expect(actions(job, [held(0, { phase: 'completed' }), old(1)])).toEqual([
      { kind: 'stop', slot: 1, why: 'outdated' },
    ]);
  });

  it('stands still at a new version that failed for good', () => {
    const never = wanted({ replicas: 2, policy: 'never' });
    expect(actions(never, [held(0, { phase: 'failed' }), old(1)])).toEqual([]);
  });

  it('that is taken back starts at once what it had set aside', () => {
    const aside = held(0, { phase: 'ended', ending: { cause: 'set-aside' } });
    expect(actions(wanted({ policy: 'never' }), [aside])).toEqual([{ kind: 'start', slot: 0, fresh: false }]);
  });

  it('runs a completed job again when what it runs has changed', () => {
    expect(actions(wanted({ policy: 'on-failure' }), [old(0, { phase: 'completed' })])).toEqual([
      { kind: 'start', slot: 0, fresh: true },
    ]);
  });
});

describe('a pause', () => {
  it('stops what runs, keeps what there is, and starts it again at once when it is over', () => {
    const paused = wanted({ replicas: 3, policy: 'never', paused: true });
    const resting = held(1, { phase: 'ended', ending: { cause: 'set-aside' } });
    expect(actions(paused, [held(0), resting])).toEqual([{ kind: 'stop', slot: 0, why: 'paused' }]);
    expect(actions(wanted({ replicas: 2, policy: 'never' }), [held(0), resting])).toEqual([
      { kind: 'start', slot: 1, fresh: false },
    ]);
  });
});
