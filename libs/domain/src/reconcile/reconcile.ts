import { reconcileCron, RUNS_AT_ONCE_MAX } from './cron-runs.js';
import type { Action, HeldReplica, Reconciled, Wanted } from './reconcile-types.js';
import { afterEnd } from './restart-rules.js';

/**
 * Decides what a node does next for one workload: what to start, stop, wait for and forget. `wanted` undefined says
 * that nothing of it shall run. The same input always gives the same answer; call it again at `wakeAtMs`, or when a
 * replica changes.
 *
 * Rules: one replica a slot, slots 0 to `replicas - 1`, or those of them that are this node's. A changed template replaces replicas one slot at a time,
 * with at most `maxUnavailable` of the wanted slots not running; slots that do not run anyway are replaced first and
 * freely. Equal templates never restart anything, whatever their version. A cron starts only when a run is due.
 */
export function reconcile(input: {
  wanted?: Wanted;
  held: readonly HeldReplica[];
  nowMs: number;
}): Reconciled {
  const { wanted, nowMs } = input;
  const held = input.held.toSorted((a, b) => a.slot - b.slot);
  if (wanted?.cron && wanted.replicas > 0 && wanted.paused !== true) {
    const strays = held.filter((h) => wanted.slots?.has(h.slot % wanted.replicas) === false);
    const mine = held.filter((h) => !strays.includes(h));
    const runs = reconcileCron({ ...wanted, cron: wanted.cron }, mine, nowMs, (h) =>
      holdRun(h, wanted, nowMs),
    );
    return strays.length === 0 ? runs : { ...runs, actions: [...strays.flatMap(clear), ...runs.actions] };
  }
  const steps = held.map((h): Step => {
    if (wanted === undefined || !isMine(wanted, h.slot)) return { actions: clear(h) };
    if (wanted.paused === true) return { actions: pause(h) };
    return h.template === wanted.template ? hold(h, wanted, nowMs) : { actions: [] };
  });
  if (wanted === undefined || wanted.paused === true) return collect(steps);
  const updates: Step = { actions: update(held, wanted) };
  const missing: Step = { actions: startMissing(held, wanted) };
  return collect([...steps, updates, missing]);
}

/** Runs of a cron that overlap have slots of their own, which belong to where the first run's slot does. */
function isMine({ cron, replicas, slots }: Wanted, slot: number): boolean {
  if (slot >= (cron ? replicas * RUNS_AT_ONCE_MAX : replicas)) return false;
  return slots === undefined || slots.has(slot % replicas);
}

/** Keeps a replica of a run going; one that has ended stays as it ended, and one of an older version runs to its end. */
function holdRun(h: HeldReplica, wanted: Wanted, nowMs: number): Step {
  if (h.phase === 'completed' || h.phase === 'failed') return { actions: [] };
  return hold(h, wanted, nowMs);
}

interface Step {
  actions: Action[];
  wakeAtMs?: number;
}

function collect(steps: Step[]): Reconciled {
  const wakes = steps.flatMap((s) => (s.wakeAtMs === undefined ? [] : [s.wakeAtMs]));
  const actions = steps.flatMap((s) => s.actions);
  return wakes.length === 0 ? { actions } : { actions, wakeAtMs: Math.min(...wakes) };
}

/** Takes away a replica whose slot is not wanted. */
function clear(h: HeldReplica): Action[] {
  switch (h.phase) {
    case 'starting':
    case 'running':
    case 'unhealthy':
      return [{ kind: 'stop', slot: h.slot, why: 'not-wanted' }];
    case 'stopping':
      return [];
    case 'ended':
    case 'backoff':
    case 'completed':
    case 'failed':
      return [{ kind: 'forget', slot: h.slot }];
  }
}

/** Stops what runs and leaves the rest as it is. */
function pause(h: HeldReplica): Action[] {
  const up = h.phase === 'starting' || h.phase === 'running' || h.phase === 'unhealthy';
  return up ? [{ kind: 'stop', slot: h.slot, why: 'paused' }] : [];
}

/** Keeps a replica of the wanted template going. */
function hold(h: HeldReplica, wanted: Wanted, nowMs: number): Step {
  switch (h.phase) {
    case 'starting': {
      const deadline = h.sinceMs + wanted.healthyDeadlineMs;
      if (nowMs < deadline) return { actions: [], wakeAtMs: deadline };
      return { actions: [{ kind: 'stop', slot: h.slot, why: 'never-healthy' }] };
    }
    case 'unhealthy':
      // With `never` the operator asked to look at it, not to have it exchanged.
      return { actions: wanted.policy === 'never' ? [] : [{ kind: 'stop', slot: h.slot, why: 'unhealthy' }] };
    case 'ended':
      return { actions: [afterEnd(h, wanted, nowMs)] };
    case 'backoff': {
      const retryAtMs = h.retryAtMs ?? nowMs;
      if (nowMs < retryAtMs) return { actions: [], wakeAtMs: retryAtMs };
      return { actions: [{ kind: 'start', slot: h.slot, fresh: false }] };
    }
    case 'completed':
      // Settled under another policy than the present one.
      return { actions: wanted.policy === 'always' ? [{ kind: 'start', slot: h.slot, fresh: false }] : [] };
    case 'failed':
      return { actions: wanted.policy === 'never' ? [] : [{ kind: 'start', slot: h.slot, fresh: false }] };
    case 'running':
    case 'stopping':
      return { actions: [] };
  }
}

/** Exchanges replicas of another template, within the limit of what may be down at once. */
function update(held: readonly HeldReplica[], wanted: Wanted): Action[] {
  const within = held.filter((h) => isMine(wanted, h.slot));
  const outdated = within.filter((h) => h.template !== wanted.template);
  // What has completed is not missing; what failed for good is, and a bad version goes no further.
  const fine = within.filter((h) => h.phase === 'running' || h.phase === 'completed').length;
  let room = wanted.maxUnavailable - ((wanted.slots?.size ?? wanted.replicas) - fine);
  return outdated.flatMap((h): Action[] => {
    switch (h.phase) {
      case 'starting':
      case 'unhealthy':
        return [{ kind: 'stop', slot: h.slot, why: 'outdated' }];
      case 'running':
        return room-- > 0 ? [{ kind: 'stop', slot: h.slot, why: 'outdated' }] : [];
      case 'stopping':
        return [];
      case 'ended':
      case 'backoff':
      case 'completed':
      case 'failed':
        return [{ kind: 'start', slot: h.slot, fresh: true }];
    }
  });
}

function startMissing(held: readonly HeldReplica[], wanted: Wanted): Action[] {
  const taken = new Set(held.map((h) => h.slot));
  const missing: Action[] = [];
  for (let slot = 0; slot < wanted.replicas; slot++) {
    if (!taken.has(slot) && isMine(wanted, slot)) missing.push({ kind: 'start', slot, fresh: true });
  }
  return missing;
}
