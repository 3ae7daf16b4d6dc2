import type { Placement, Plan, PlanFigures, PlannedDataset, Scenario } from '@skerry/contracts';
import { wantedPart } from '@skerry/domain';
import { digestOf } from '../stores/digest.js';

export type PlanItem = Plan['items'][number];
type Parts = Pick<Plan, 'before' | 'after' | 'untouched' | 'datasets'>;

/** Bytes of items in one answer: with what surrounds them they fit one message. */
const ITEMS_BYTES = 700 * 1024;
/** Of these, bytes of sites with and without a copy of all datasets together; each may have as many as the others. */
const SITES_BYTES = 200 * 1024;
/** Of the words on where copies may be, which may name every site. */
const RULE_CHARS = 1_000;

/**
 * A plan, by the name that its content gives it. `asked`: what was asked beyond the scenario, such as digests of documents.
 * Items that do not fit one message are left out of it and counted; the name is of all.
 */
export function planOf(
  scenario: Scenario,
  asked: unknown,
  items: readonly PlanItem[],
  { datasets: planned, ...parts }: Parts,
): Plan {
  const chosen = items.map(({ project, name, placement }) => [
    project,
    name,
    placement.state,
    placement.shares.map((s) => [s.site, s.replicas]),
  ]);
  const datasets = planned?.map((dataset) => fitting(dataset, SITES_BYTES / planned.length));
  const shown: PlanItem[] = [];
  let bytes = datasets === undefined ? 0 : JSON.stringify(datasets).length;
  for (const item of items) {
    bytes += JSON.stringify(item).length;
    if (bytes > ITEMS_BYTES) break;
    shown.push(item);
  }
  const omitted = items.length - shown.length;
  return {
    id: `plan-${digestOf([scenario, asked, chosen]).slice('sha256:'.length, 'sha256:'.length + 16)}`,
    scenario,
    items: shown,
    ...(datasets && { datasets }),
    ...parts,
    ...(omitted > 0 ? { omitted } : {}),
  };
}

/** With so many sites as fit in, first those that have or had a copy. */
function fitting(dataset: PlannedDataset, bytes: number): PlannedDataset {
  const without = dataset.without.toSorted((a, b) => Number(b.now) - Number(a.now));
  let left = bytes;
  const fits = (row: object) => left > 0 && (left -= JSON.stringify(row).length) > 0;
  const shown = { copies: dataset.copies.filter(fits), without: without.filter(fits) };
  const omitted = {
    copies: dataset.copies.length - shown.copies.length,
    without: without.length - shown.without.length,
  };
  const rule = dataset.rule.slice(0, RULE_CHARS);
  return { ...dataset, rule, ...shown, ...(omitted.copies + omitted.without > 0 ? { omitted } : {}) };
}

/** Of what is wanted: what only stays until it is replaced does not count. */
export function figuresOf({ shares, costPerMonth, latencyMs }: Placement): PlanFigures {
  const replicas = wantedPart(shares).reduce((sum, s) => sum + s.replicas, 0);
  return { replicas, costPerMonth, ...(latencyMs === undefined ? {} : { latencyMs }) };
}

/** Sums; the latency is the mean over those that have users. */
export function together(all: readonly PlanFigures[]): PlanFigures {
  const sum = (of: (f: PlanFigures) => number) => all.reduce((total, f) => total + of(f), 0);
  const withUsers = all.flatMap((f) => f.latencyMs ?? []);
  return {
    replicas: sum((f) => f.replicas),
    costPerMonth: sum((f) => f.costPerMonth),
    ...(withUsers.length === 0 ? {} : { latencyMs: withUsers.reduce((a, b) => a + b, 0) / withUsers.length }),
  };
}

/** Replicas before and after, of every site where they differ; by name. */
export function movesOf(previous: Placement | undefined, next: Placement): PlanItem['moves'] {
  const before = new Map(previous?.shares.map((s) => [s.site, s.replicas]));
  const after = new Map(next.shares.map((s) => [s.site, s.replicas]));
  return [...new Set([...before.keys(), ...after.keys()])]
    .toSorted()
    .map((site) => ({ site, before: before.get(site) ?? 0, after: after.get(site) ?? 0 }))
    .filter((m) => m.before !== m.after);
}
