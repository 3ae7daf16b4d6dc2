import {
  workloadKey,
  type DecidedEntry,
  type HistoryEntry,
  type Placement,
  type Site,
  type SiteState,
  type SnapshotSite,
  type Workload,
} from '@skerry/contracts';
import { Ledger, type Holding } from './ledger.js';
import { nextPlacement, placeRequest, type NextPlacementInput } from './next-placement.js';
import { ENGINE } from './place.js';
import { byName, siteFacts } from './site-facts.js';
import type { PlaceRequest, SiteFacts, Snapshot } from './types.js';

/** About as many bytes of holdings go into one part of a site. */
const PART_BYTES = 256 * 1024;
const HELD_BYTES = 160;
const PACKED_BYTES = 6;

/**
 * What a site is and who holds what there, as it is kept: replaying from it packs the ledger exactly as it was. In parts, so
 * that each fits a message; all of one site belong together.
 */
export function snapshotSite(
  name: string,
  known: { site: Site | undefined; state: SiteState | undefined },
  holdings: Iterable<readonly [string, Holding]>,
): SnapshotSite[] {
  const { site, state } = known;
  const first = { ...(site ? { site } : {}), ...(state ? { state } : {}) };
  const sorted = [...holdings].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return slicesOf(sorted).map((slice, part) => ({
    kind: 'SnapshotSite',
    name,
    ...(part === 0 ? first : { part }),
    held: slice.map(([key, { need, replicas, packing, priority }]) => {
      return { key, need, replicas, packed: [...packing], ...(priority === undefined ? {} : { priority }) };
    }),
  }));
}

/** At least one, which may be empty. */
function slicesOf(holdings: readonly (readonly [string, Holding])[]): (readonly [string, Holding])[][] {
  let last: (readonly [string, Holding])[] = [];
  const slices = [last];
  let bytes = 0;
  for (const held of holdings) {
    bytes += HELD_BYTES + held[1].packing.length * PACKED_BYTES;
    if (bytes > PART_BYTES && last.length > 0) {
      last = [];
      slices.push(last);
      bytes = 0;
    }
    last.push(held);
  }
  return slices;
}

/** Sites and ledger at one moment of the past: a snapshot of them, and all that was logged since, in order. */
export class Past {
  readonly ledger = new Ledger();
  readonly #facts = new Map<string, SiteFacts>();
  #sorted: readonly SiteFacts[] | undefined;

  constructor(sites: readonly SnapshotSite[]) {
    const holdings = new Map<string, Map<string, Holding>>();
    for (const { name, site, state, part, held } of sites) {
      if (part === undefined) this.#site(name, site, state);
      for (const { key, need, replicas, packed, priority } of held) {
        const bySite = holdings.get(key) ?? new Map<string, Holding>();
        const packing = Int32Array.from(packed);
        bySite.set(name, { need, replicas, packing, ...(priority === undefined ? {} : { priority }) });
        holdings.set(key, bySite);
      }
    }
    for (const [key, bySite] of holdings) this.ledger.attach(key, bySite);
  }

  /** Takes what happened next. */
  apply(entry: HistoryEntry): void {
    switch (entry.kind) {
      case 'site':
        return this.#site(entry.name, entry.site, entry.state);
      case 'held':
        if (entry.need) this.ledger.hold(entry.key, entry.need, entry.shares, entry.priority);
        else this.ledger.release(entry.key);
        return undefined;
      case 'decided':
        return this.ledger.hold(keyOf(entry.placement), entry.need, entry.placement.shares, entry.priority);
    }
  }

  snapshot(): Snapshot & { readonly sites: readonly SiteFacts[] } {
    this.#sorted ??= byName([...this.#facts.values()]);
    return { sites: this.#sorted, ledger: this.ledger };
  }

  #site(name: string, site: Site | undefined, state: SiteState | undefined): void {
    this.#sorted = undefined;
    if (site) this.#facts.set(name, siteFacts(site, state));
    else this.#facts.delete(name);
    if (state) this.ledger.setCapacity(name, state.capacity);
  }
}

export interface Remade {
  /** What the decision was asked, for an explanation of it. */
  readonly request: PlaceRequest;
  /** Deciding again gave the same, bit for bit. Not when another version of the engine decided. */
  readonly reproduced: boolean;
}

/** Makes a decision again from what was recorded of it. `past`: the world just before it. */
export function decideAgain(entry: DecidedEntry, workload: Workload, past: Past): Remade {
  const { placement } = entry;
  const input: NextPlacementInput = {
    workload,
    previous: entry.previous,
    refusals: new Map(Object.entries(entry.refusals)),
    ...(entry.healthy ? { healthy: new Map(Object.entries(entry.healthy)) } : {}),
    ...(entry.given ? { given: new Map(entry.given.map((g) => [g.site, g.replicas])) } : {}),
    ...(entry.projectBudgetLeft === undefined ? {} : { projectBudgetLeft: entry.projectBudgetLeft }),
    ...(entry.data ? { data: entry.data } : {}),
    snapshot: past.snapshot(),
    now: entry.now,
    term: placement.version.term,
    epoch: placement.epoch,
    inputs: () => placement.inputs,
  };
  const sameEngine = ENGINE.name === placement.engine.name && ENGINE.version === placement.engine.version;
  const remade = sameEngine ? nextPlacement(input) : undefined;
  return {
    request: placeRequest(input),
    reproduced: remade !== undefined && canonical(remade) === canonical(placement),
  };
}

/** JSON with the keys of every object in order: equal texts are equal values. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

function keyOf({ project, name }: Placement): string {
  return workloadKey(project, name);
}
