import { byName } from './site-facts.js';
import { SiteGrid } from './site-grid.js';
import type { Facet, SiteFacts } from './types.js';

/** A measured round trip to another site, by its index. */
export interface MeasuredRtt {
  readonly site: number;
  readonly ms: number;
}

/** Texts of one facet that are told apart; of more, every site is asked. */
export const CLASSES_MAX = 512;
/** Facets kept for an inventory: those asked for first. */
const FACETS_MAX = 256;

/** Sites by their text of one facet. */
export interface SiteClasses {
  /** By site: the number of its class. */
  readonly of: Uint16Array;
  /** By class: the first site of it. */
  readonly examples: readonly SiteFacts[];
}

/**
 * An inventory in columns: what decisions read of every site, by index in order of name. Made once for an array of sites
 * and kept as long as that array is; whoever changes a site makes a new array.
 */
export class SiteIndex {
  static readonly #known = new WeakMap<readonly SiteFacts[], SiteIndex>();

  /** The index of an inventory; the same one for the same array. */
  static of(sites: readonly SiteFacts[]): SiteIndex {
    const known = this.#known.get(sites);
    if (known) return known;
    const made = new SiteIndex(byName(sites));
    this.#known.set(sites, made);
    return made;
  }

  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly egressPrice: Float64Array;
  /** Monthly prices of a core, a GiB of memory and a GPU. */
  readonly prices: readonly [Float64Array, Float64Array, Float64Array];
  readonly #facets = new Map<string, SiteClasses | undefined>();
  readonly #ordinals = new Map<string, number>();
  #grid: SiteGrid | undefined;
  #measured: { rtt: MeasuredRtt[][]; anchors: Int32Array; grid: SiteGrid } | undefined;

  private constructor(readonly sites: readonly SiteFacts[]) {
    this.x = Float64Array.from(sites, (s) => s.position[0]);
    this.y = Float64Array.from(sites, (s) => s.position[1]);
    this.z = Float64Array.from(sites, (s) => s.position[2]);
    this.egressPrice = Float64Array.from(sites, (s) => s.site.prices.egressGiB);
    this.prices = [
      Float64Array.from(sites, (s) => s.site.prices.cpuCoreMonth),
      Float64Array.from(sites, (s) => s.site.prices.memoryGiBMonth),
      Float64Array.from(sites, (s) => s.site.prices.gpuMonth),
    ];
    for (const [i, { name }] of sites.entries()) this.#ordinals.set(name, i);
  }

  /** The index of a site by name. */
  ordinal(name: string): number | undefined {
    return this.#ordinals.get(name);
  }

  /** Sites by their text of a facet; undefined when there are too many different ones. */
  classes(facet: Facet): SiteClasses | undefined {
    if (this.#facets.has(facet.key)) return this.#facets.get(facet.key);
    const classes = this.#classify(facet);
    if (this.#facets.size < FACETS_MAX) this.#facets.set(facet.key, classes);
    return classes;
  }

  #classify(facet: Facet): SiteClasses | undefined {
    const numbers = new Map<string, number>();
    const examples: SiteFacts[] = [];
    const of = new Uint16Array(this.sites.length);
    for (const [i, facts] of this.sites.entries()) {
      const text = facet.of(facts);
      const known = numbers.get(text);
      of[i] = known ?? examples.length;
      if (known !== undefined) continue;
      if (examples.length === CLASSES_MAX) return undefined;
      numbers.set(text, examples.length);
      examples.push(facts);
    }
    return { of, examples };
  }

  /** All sites by where they are. */
  get grid(): SiteGrid {
    this.#grid ??= new SiteGrid(this.x, this.y, this.z, Int32Array.from(this.sites.keys()));
    return this.#grid;
  }

  /** Round trips measured from or to a site; where both ends have one, the other end's own. */
  rttOf(site: number): readonly MeasuredRtt[] {
    return this.#rtt.rtt[site] ?? [];
  }

  /** Sites with any measured round trip, by where they are; undefined without any. */
  get anchors(): SiteGrid | undefined {
    return this.#rtt.anchors.length === 0 ? undefined : this.#rtt.grid;
  }

  get #rtt() {
    this.#measured ??= this.#readMeasured();
    return this.#measured;
  }

  #readMeasured() {
    const rtt: MeasuredRtt[][] = this.sites.map(() => []);
    for (const [i, { rttMs }] of this.sites.entries()) {
      for (const [name, ms] of rttMs) {
        const site = this.#ordinals.get(name);
        if (site !== undefined) rtt[i]?.push({ site, ms });
      }
    }
    // After a site's own: what the other end measured is written over it by whoever reads in this order.
    for (const [i, own] of rtt.map((list) => list.slice()).entries()) {
      for (const { site, ms } of own) rtt[site]?.push({ site: i, ms });
    }
    const anchors = Int32Array.from([...this.sites.keys()].filter((i) => (rtt[i]?.length ?? 0) > 0));
    return { rtt, anchors, grid: new SiteGrid(this.x, this.y, this.z, anchors) };
  }
}
