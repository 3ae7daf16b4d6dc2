import { parseWorkloadKey, workloadKey, type Placement } from '@skerry/contracts';
import { preparedChecks } from './checks/index.js';
import { place } from './place.js';
import { SiteIndex } from './site-index.js';
import { TrialLedger } from './trial-ledger.js';
import type { Decision, PlaceRequest, SiteFacts, Snapshot } from './types.js';

/** Times that room is made at a site before it is given up; each costs a decision. */
const ROUNDS_MAX = 64;
/** Sites at which it is looked what could give way. */
const SITES_MAX = 256;
/** Replicas that give way at one site for one more. */
const EVICTED_MAX = 64;

export interface Preemption {
  /** In full, with what gives way. */
  readonly decision: Decision;
  /** The sites as they are once that has given way. */
  readonly snapshot: Snapshot;
}

/** A workload of lower priority at a site. */
interface Victim {
  readonly key: string;
  readonly priority: number;
  readonly replicas: number;
  readonly size: number;
}
interface Offer {
  readonly facts: SiteFacts;
  /** Replicas that give way, by workload. */
  readonly evicted: ReadonlyMap<string, number>;
  readonly highest: number;
  readonly count: number;
}

/**
 * Makes room for a workload that may preempt and is not placed in full: takes that of workloads of lower priority, of the
 * lowest first, of as few replicas as it can. Undefined when that does not place all of it: then nothing gives way.
 */
export function preempt(request: PlaceRequest, snapshot: Snapshot, short: Decision): Preemption | undefined {
  const { preempts, priority } = request.workload.spec.placement;
  if (!preempts || priority === 0 || short.state === 'placed' || !snapshot.ledger.holdingsAt)
    return undefined;
  const taking = new Taking(request, snapshot);
  return taking.run(short);
}

class Taking {
  readonly #ledger: TrialLedger;
  readonly #eased: Snapshot;
  readonly #sites: readonly SiteFacts[];
  readonly #evicted = new Map<string, Map<string, number>>();

  constructor(
    private readonly request: PlaceRequest,
    snapshot: Snapshot,
  ) {
    const index = SiteIndex.of(snapshot.sites);
    this.#ledger = new TrialLedger(
      snapshot.ledger,
      (site) => index.sites[index.ordinal(site) ?? -1]?.state?.capacity,
    );
    this.#eased = { ...snapshot, ledger: this.#ledger };
    this.#sites = roomLess(request, snapshot);
  }

  run(short: Decision): Preemption | undefined {
    const useless = new Set<string>();
    let decision = short;
    for (let round = 0; round < ROUNDS_MAX && decision.state !== 'placed'; round += 1) {
      const offer = this.#best(decision, useless);
      if (!offer) return undefined;
      this.#give(offer.facts.name, offer.evicted, 1);
      const next = place(this.request, this.#eased);
      if (placedIn(next) > placedIn(decision)) {
        decision = next;
        continue;
      }
      // Room there did not help: another rule stands in the way.
      this.#give(offer.facts.name, offer.evicted, -1);
      useless.add(offer.facts.name);
    }
    if (decision.state !== 'placed') return undefined;
    decision = this.#spare(decision);
    return { decision: { ...decision, preempted: this.#list() }, snapshot: this.#eased };
  }

  /** The cheapest way to room for one more replica: victims of the lowest priority, then the fewest, then by name. */
  #best(decision: Decision, useless: ReadonlySet<string>): Offer | undefined {
    let best: Offer | undefined;
    for (const facts of this.#sites) {
      if (useless.has(facts.name)) continue;
      const has = decision.shares.find((s) => s.site === facts.name)?.replicas ?? 0;
      const offer = this.#offer(facts, has + 1);
      if (
        offer &&
        (!best ||
          offer.highest < best.highest ||
          (offer.highest === best.highest && offer.count < best.count))
      )
        best = offer;
    }
    return best;
  }

  #offer(facts: SiteFacts, replicas: number): Offer | undefined {
    const victims = this.#victims(facts);
    const evicted = new Map<string, number>();
    const units = victims.flatMap((v) => Array.from({ length: Math.min(v.replicas, EVICTED_MAX) }, () => v));
    const taken: Victim[] = [];
    for (const victim of units.slice(0, EVICTED_MAX)) {
      if (this.#fits(facts, replicas)) break;
      this.#ledger.change(facts.name, victim.key, -1);
      taken.push(victim);
    }
    const enough = this.#fits(facts, replicas);
    // Back what was taken in vain: the highest priority first.
    for (const victim of taken.toReversed()) {
      this.#ledger.change(facts.name, victim.key, 1);
      if (!enough || this.#fits(facts, replicas)) continue;
      this.#ledger.change(facts.name, victim.key, -1);
      evicted.set(victim.key, (evicted.get(victim.key) ?? 0) + 1);
    }
    for (const [key, n] of evicted) this.#ledger.change(facts.name, key, n);
    if (evicted.size === 0) return undefined;
    const highest = Math.max(...victims.filter((v) => evicted.has(v.key)).map((v) => v.priority));
    return { facts, evicted, highest, count: [...evicted.values()].reduce((a, b) => a + b, 0) };
  }

  /** By priority, the largest first: fewer of those have to go. */
  #victims({ name }: SiteFacts): Victim[] {
    const { workload } = this.request;
    const own = workloadKey(workload.project, workload.name);
    const limit = workload.spec.placement.priority;
    return [...this.#ledger.holdingsAt(name)]
      .filter(([key, held]) => key !== own && held.replicas > 0 && (held.priority ?? 0) < limit)
      .map(([key, { priority = 0, replicas, need }]) => {
        const gpus = need.gpu ? need.gpu.count * (need.gpu.shareMilli ?? 1_000) * 64 : 0;
        return { key, priority, replicas, size: need.cpuMillicores + need.memoryMiB + gpus };
      })
      .toSorted((a, b) => a.priority - b.priority || b.size - a.size || (a.key < b.key ? -1 : 1));
  }

  #fits({ name }: SiteFacts, replicas: number): boolean {
    const { project, name: own, spec } = this.request.workload;
    return this.#ledger.fitting(name, spec.resources, replicas, workloadKey(project, own)) >= replicas;
  }

  #give(site: string, evicted: ReadonlyMap<string, number>, sign: 1 | -1): void {
    const gone = this.#evicted.get(site) ?? new Map<string, number>();
    this.#evicted.set(site, gone);
    for (const [key, n] of evicted) {
      this.#ledger.change(site, key, -sign * n);
      gone.set(key, (gone.get(key) ?? 0) + sign * n);
    }
  }

  /** Gives back what the whole decision turns out not to need. */
  #spare(decision: Decision): Decision {
    let spared = decision;
    let tries = ROUNDS_MAX;
    for (const [site, gone] of this.#evicted) {
      for (const [key, n] of gone) {
        for (let left = n; left > 0 && tries > 0; left -= 1, tries -= 1) {
          this.#give(site, new Map([[key, 1]]), -1);
          const next = place(this.request, this.#eased);
          if (next.state === 'placed') spared = next;
          else this.#give(site, new Map([[key, 1]]), 1);
        }
      }
    }
    return spared;
  }

  #list(): NonNullable<Placement['preempted']> {
    return [...this.#evicted]
      .flatMap(([site, gone]) =>
        [...gone].flatMap(([key, replicas]) =>
          replicas > 0 ? [{ ...parseWorkloadKey(key), site, replicas }] : [],
        ),
      )
      .toSorted((a, b) => order(a.site, b.site) || order(a.project, b.project) || order(a.name, b.name));
  }
}

/** Sites that pass everything but what lacks room, by name. */
function roomLess(request: PlaceRequest, snapshot: Snapshot): SiteFacts[] {
  const limits = preparedChecks(request, snapshot).filter(
    ({ check, limit }) => limit && check.name !== 'capacity',
  );
  const found: SiteFacts[] = [];
  for (const facts of SiteIndex.of(snapshot.sites).sites) {
    if (found.length >= SITES_MAX) break;
    const present = request.present.get(facts.name) ?? 0;
    if (limits.every(({ limit }) => limit === undefined || limit(facts, present) > 0)) found.push(facts);
  }
  return found;
}

function placedIn({ shares }: Decision): number {
  return shares.reduce((sum, s) => sum + s.replicas, 0);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
