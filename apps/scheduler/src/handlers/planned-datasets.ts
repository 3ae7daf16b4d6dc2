import {
  workloadKey,
  type ChosenCopy,
  type Dataset,
  type Placement,
  type PlannedDataset,
  type PlanRequest,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { chooseCopies, copyAt, copySites, isChosen, ruleOfCopies, type CopyUser } from '@skerry/domain';
import { keyOf } from '../stores/workloads.store.js';
import type { World } from '../stores/world.js';

type Asked = NonNullable<PlanRequest['datasets']>;
/** By key of the workload: what was decided on trial so far. */
export type Tried = ReadonlyMap<string, { readonly placement: Placement }>;

/** What there is of a dataset before the plan; of one that is made anew, nothing. */
interface Before {
  readonly copies: readonly ChosenCopy[];
  readonly sites: ReadonlySet<string>;
}

interface User extends CopyUser {
  readonly workload: Workload;
}

/** A copy on trial has had everything: what is told is where everything ends up. */
const SETTLED = { settled: true, whole: true };
/** Time alone has no copy go while nobody applies anything. */
const KEPT = { keepMs: Number.POSITIVE_INFINITY };

/** The datasets of one plan, which count as known from `begin` to `end`, within one turn. Their copies are chosen as they would be. */
export class PlannedDatasets {
  private readonly before: ReadonlyMap<string, Before>;
  private readonly copies = new Map<string, readonly ChosenCopy[]>();
  private readonly workloads: ReadonlyMap<string, Workload>;
  private readonly sites: readonly Site[];

  constructor(
    private readonly world: World,
    private readonly asked: Asked,
    private readonly on: { items: PlanRequest['items']; now: number },
  ) {
    this.workloads = new Map(on.items.map(({ workload }) => [keyOf(workload), workload]));
    const seen = world.sites.all().map(({ site }) => site);
    this.sites = seen.filter(({ membership }) => membership !== 'removed');
    this.before = new Map(asked.map(({ dataset }) => [keyOf(dataset), this.beforeOf(dataset)]));
  }

  begin(): void {
    if (this.asked.length === 0) return;
    const datasets = new Map(this.asked.map(({ dataset }) => [keyOf(dataset), dataset]));
    this.world.workloads.datasets.assume({ datasets, copies: this.copies });
  }

  end(): void {
    this.world.workloads.datasets.assume(undefined);
  }

  /** Workloads that are not among those asked for and use what would be another: they are decided on anew too. */
  touched(): Workload[] {
    const changed = this.asked.filter(({ change }) => change !== 'none');
    const keys = changed.flatMap(({ dataset }) => [...this.world.workloads.usersOf(keyOf(dataset))]);
    return [...new Set(keys)]
      .filter((key) => !this.workloads.has(key))
      .toSorted()
      .flatMap((key) => this.workload(key) ?? [])
      .filter(({ stopped }) => !stopped);
  }

  /** Chooses copies by where everything is by now. Returns who is placed where none may be any more, since there are as many as may be. */
  choose(tried: Tried): Workload[] {
    const displaced = this.asked.flatMap(({ dataset }) => {
      const { max = Number.POSITIVE_INFINITY } = dataset.spec.copies;
      if (!isChosen(dataset.spec.copies)) return [];
      const users = this.usersOf(dataset, tried);
      const chosen = this.chosenFor(dataset, users);
      this.copies.set(keyOf(dataset), chosen);
      const sites = new Set(chosen.map(({ site }) => site));
      return sites.size < max ? [] : users.filter(({ at }) => [...at].some((site) => !sites.has(site)));
    });
    return [...new Set(displaced.map(({ workload }) => workload))];
  }

  /** Where copies would be, as chosen last. */
  answer(): PlannedDataset[] {
    return this.asked.map(({ change, dataset }) => {
      const { project, name, spec } = dataset;
      const before = this.beforeIn(dataset);
      const chosen = new Map(this.copies.get(keyOf(dataset))?.map(({ site, why }) => [site, why]));
      const copies: PlannedDataset['copies'] = [];
      const without: PlannedDataset['without'] = [];
      for (const site of this.sites) {
        const choice = copyAt(spec, site, new Set(chosen.keys()));
        const row = { site: site.name, now: before.sites.has(site.name) };
        const why = chosen.get(site.name);
        if (!choice.ok) without.push({ ...row, why: choice.why });
        else copies.push({ ...row, ...(why === undefined ? {} : { why }) });
      }
      return { project, name, change, rule: ruleOfCopies(spec), copies, without };
    });
  }

  /** What a plan's id names of them: what they are, where their copies would be, and where copies would go. */
  named(answer: readonly PlannedDataset[]): unknown {
    return this.asked.map(({ dataset: { project, name, labels, specDigest } }, at) => {
      const { copies = [], without = [] } = answer[at] ?? {};
      const gone = without.filter(({ now }) => now).map(({ site }) => site);
      return [project, name, labels, specDigest, copies.map(({ site }) => site), gone];
    });
  }

  private chosenFor(dataset: Dataset, users: readonly CopyUser[]): ChosenCopy[] {
    const phase = (site: string) => this.world.sites.get(site)?.state?.phase;
    const isHeard = (site: string) => phase(site) === 'ready' || phase(site) === 'suspect';
    const sites = copySites(dataset.spec, this.sites, users, { isHeard, said: () => SETTLED });
    const present = this.beforeIn(dataset).copies;
    return chooseCopies({
      copies: { ...dataset.spec.copies, ...KEPT },
      sites,
      present: dataset.recovered === true ? present : present.map(notFound),
      nowMs: this.on.now,
    });
  }

  /** Who uses it after the plan, and where that is placed. */
  private usersOf(dataset: Dataset, tried: Tried): User[] {
    const known = this.world.workloads.usersOf(keyOf(dataset));
    const keys = [...new Set([...known, ...this.workloads.keys()])].toSorted();
    return keys.flatMap((key) => {
      const workload = this.workload(key);
      if (workload === undefined || !uses(workload, dataset)) return [];
      const { shares = [] } = tried.get(key)?.placement ?? this.world.placements.get(key) ?? {};
      const at = new Set(shares.filter((s) => s.replicas > 0).map((s) => s.site));
      return [{ key, workload, at }];
    });
  }

  private workload(key: string): Workload | undefined {
    const workload = this.workloads.get(key) ?? this.world.workloads.get(key)?.workload;
    return workload?.removed === true ? undefined : workload;
  }

  private beforeIn(dataset: Dataset): Before {
    return this.before.get(keyOf(dataset)) ?? NOTHING;
  }

  private beforeOf({ project, name, incarnation }: Dataset): Before {
    const { datasets } = this.world.workloads;
    const dataset = datasets.there(workloadKey(project, name));
    if (dataset?.incarnation !== incarnation) return NOTHING;
    const chosen = datasets.chosen(dataset);
    const names = new Set(chosen.map(({ site }) => site));
    const there = this.sites.filter((site) => copyAt(dataset.spec, site, names).ok).map((site) => site.name);
    const sites = new Set(there);
    if (isChosen(dataset.spec.copies)) return { copies: chosen, sites };
    const since = new Date(this.on.now).toISOString();
    const copies = there.map((site) => ({ site, since, why: 'it was there', whole: true }));
    return { copies, sites };
  }
}

const NOTHING: Before = { copies: [], sites: new Set() };

/** Somebody applies the dataset: its copies are where that says. */
function notFound({ found: _found, ...copy }: ChosenCopy): ChosenCopy {
  return copy;
}

function uses({ project, spec }: Workload, dataset: Dataset): boolean {
  return project === dataset.project && (spec.data ?? []).some((use) => use.dataset === dataset.name);
}
