import { dueAfter, dueBefore } from '../schedule/index.js';
import type { Action, HeldReplica, Reconciled, Wanted } from './reconcile-types.js';

/** Runs of one workload that may be under way at once with `overlap: allow`; a further one is left out. */
export const RUNS_AT_ONCE_MAX = 8;
/** Clocks are set and machines sleep: the time is looked at this often, however far away the next run is. */
const LOOK_AGAIN_MS = 60_000;

export type CronWanted = Wanted & { readonly cron: NonNullable<Wanted['cron']> };

/** When the newest run that was started or left out was due, when the next is, and whether one is due now. */
export interface Runs {
  readonly lastMs: number | undefined;
  readonly nextMs: number | undefined;
  /** Of several that were missed only the last is due. */
  readonly dueMs: number | undefined;
}

/** Where a cron stands in its schedule. */
export function runsOf(
  { schedule, fromMs }: CronWanted['cron'],
  held: readonly HeldReplica[],
  nowMs: number,
): Runs {
  const started = held.flatMap((h) => h.runMs ?? []);
  const lastMs = started.length === 0 ? undefined : Math.max(...started);
  const latest = dueBefore(schedule, nowMs);
  const due = latest !== undefined && latest > Math.max(fromMs, lastMs ?? 0) ? latest : undefined;
  return { lastMs, nextMs: dueAfter(schedule, nowMs), dueMs: due };
}

/**
 * Decides what a node does next for a cron: starts a run of `replicas` when one is due, as the overlap rule lets it, and
 * keeps what is under way going by `hold`. What a finished run left stays until the next one takes its slots.
 */
export function reconcileCron(
  wanted: CronWanted,
  held: readonly HeldReplica[],
  nowMs: number,
  hold: (h: HeldReplica) => Reconciled,
): Reconciled {
  const { dueMs, nextMs } = runsOf(wanted.cron, held, nowMs);
  const { starts, kept, leftOutMs } = dueMs === undefined ? NO_START(held) : startOf(wanted, held, dueMs);
  const stale = kept.filter((h) => isStale(h, wanted, held));
  const going = kept.filter((h) => !stale.includes(h)).map(hold);
  const wakes = [
    nextMs ?? Number.POSITIVE_INFINITY,
    ...going.map((g) => g.wakeAtMs ?? Number.POSITIVE_INFINITY),
  ];
  return {
    actions: [
      ...stale.map(({ slot }): Action => ({ kind: 'forget', slot })),
      ...going.flatMap((g) => g.actions),
      ...starts,
    ],
    wakeAtMs: Math.min(nowMs + LOOK_AGAIN_MS, ...wakes),
    ...(leftOutMs === undefined ? {} : { leftOutMs }),
  };
}

interface Start {
  readonly starts: Action[];
  /** Replicas that go on as they are. */
  readonly kept: readonly HeldReplica[];
  readonly leftOutMs?: number;
}

const NO_START = (held: readonly HeldReplica[]): Start => ({ starts: [], kept: held });

function startOf(wanted: CronWanted, held: readonly HeldReplica[], runMs: number): Start {
  const active = held.filter(isActive);
  if (active.length === 0) return startIn(0, wanted, held, runMs);
  switch (wanted.cron.schedule.overlap) {
    case 'skip':
      return { starts: [], kept: held, leftOutMs: runMs };
    case 'replace':
      return replace(wanted, held, runMs);
    case 'allow': {
      const group = freeGroup(wanted.replicas, active);
      return group === undefined
        ? { starts: [], kept: held, leftOutMs: runMs }
        : startIn(group, wanted, held, runMs);
    }
  }
}

function startIn(
  group: number,
  { replicas, slots: mine }: CronWanted,
  held: readonly HeldReplica[],
  runMs: number,
): Start {
  const first = group * replicas;
  const slots = Array.from({ length: replicas }, (_, n) => first + n).filter(
    (slot) => mine?.has(slot % replicas) ?? true,
  );
  return {
    starts: slots.map((slot): Action => ({ kind: 'start', slot, fresh: true, runMs })),
    kept: held.filter((h) => !slots.includes(h.slot)),
  };
}

/** Ends what is under way first; the new run starts when nothing of the old one is up. */
function replace(wanted: CronWanted, held: readonly HeldReplica[], runMs: number): Start {
  const up = held.filter((h) => isUp(h) || h.phase === 'stopping');
  if (up.length === 0) return startIn(0, wanted, held, runMs);
  const starts = up.filter(isUp).map(({ slot }): Action => ({ kind: 'stop', slot, why: 'next-run' }));
  // Nothing of the old run is started again meanwhile.
  return { starts, kept: held.filter((h) => !isActive(h)) };
}

function freeGroup(replicas: number, active: readonly HeldReplica[]): number | undefined {
  const taken = new Set(active.map((h) => Math.floor(h.slot / Math.max(1, replicas))));
  for (let group = 0; group < RUNS_AT_ONCE_MAX; group += 1) if (!taken.has(group)) return group;
  return undefined;
}

/** Beyond the slots of one run, or of fewer replicas than before, and ended: nobody will take its place. */
function isStale(h: HeldReplica, { replicas }: CronWanted, held: readonly HeldReplica[]): boolean {
  if (h.slot < replicas || isActive(h)) return false;
  return held.some((other) => (other.runMs ?? 0) > (h.runMs ?? 0)) || h.slot >= replicas * RUNS_AT_ONCE_MAX;
}

function isUp({ phase }: HeldReplica): boolean {
  return phase === 'starting' || phase === 'running' || phase === 'unhealthy';
}

/** Its run has not ended: it is up, about to be stopped, or about to be tried again. */
function isActive({ phase }: HeldReplica): boolean {
  return phase !== 'completed' && phase !== 'failed';
}
