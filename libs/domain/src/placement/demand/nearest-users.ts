import { rttMsOfSquaredChord } from '../geo.js';
import type { SiteIndex } from '../site-index.js';
import { PlaceTree } from './place-tree.js';
import type { Users } from './users.js';

/** The user location with the shortest round trip to a site. */
export interface NearestUser {
  /** Its index among the locations; the first of equals. */
  readonly point: number;
  readonly ms: number;
  /** Whether a measured round trip carries the figure. */
  readonly measured: boolean;
}

/**
 * Which users are nearest to a site, worked out when it is first asked for: over what is estimated from coordinates in
 * about the logarithm of the user locations, and only over what is measured by a look at each of them.
 */
export class NearestUsers {
  readonly #tree: PlaceTree;
  /** By site: the location, -1 where it was not asked for yet. */
  readonly #point: Int32Array;
  readonly #ms: Float64Array;
  readonly #measured: Uint8Array;
  /** Of one site at a time. */
  #row: { ms: Float64Array; measured: Uint8Array } | undefined;

  constructor(
    readonly users: Users,
    private readonly index: SiteIndex,
  ) {
    this.#tree = new PlaceTree(users.x, users.y, users.z);
    this.#point = new Int32Array(index.sites.length).fill(-1);
    this.#ms = new Float64Array(index.sites.length);
    this.#measured = new Uint8Array(index.sites.length);
  }

  /** The shortest round trip from any user to a site of the index; Infinity without users. */
  msTo(site: number): number {
    if (this.users.count === 0) return Number.POSITIVE_INFINITY;
    if ((this.#point[site] ?? -1) < 0) this.#find(site);
    return this.#ms[site] ?? Number.POSITIVE_INFINITY;
  }

  /** Whose round trip that is. */
  to(site: number): NearestUser {
    const ms = this.msTo(site);
    return { point: this.#point[site] ?? 0, ms, measured: this.#measured[site] === 1 };
  }

  #find(site: number): void {
    const estimated = !this.users.areMeasured && this.index.rttOf(site).length === 0;
    if (estimated) this.#findByPlace(site);
    else this.#findByRow(site);
  }

  #findByPlace(site: number): void {
    const { x, y, z } = this.index;
    const { place, squared } = this.#tree.nearest(x[site] ?? 0, y[site] ?? 0, z[site] ?? 0);
    this.#point[site] = place;
    this.#ms[site] = rttMsOfSquaredChord(squared);
    this.#measured[site] = this.users.isAt(squared) ? 1 : 0;
  }

  #findByRow(site: number): void {
    const { count } = this.users;
    this.#row ??= { ms: new Float64Array(count), measured: new Uint8Array(count) };
    const { ms, measured } = this.#row;
    measured.fill(0);
    this.users.fill(site, this.#row);
    let at = 0;
    for (let p = 1; p < count; p += 1) if ((ms[p] ?? 0) < (ms[at] ?? 0)) at = p;
    this.#point[site] = at;
    this.#ms[site] = ms[at] ?? 0;
    this.#measured[site] = measured[at] ?? 0;
  }
}
