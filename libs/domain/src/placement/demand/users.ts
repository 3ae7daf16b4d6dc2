import type { DemandPoint } from '@skerry/contracts';
import { rttMsOfSquaredChord } from '../geo.js';
import type { SiteIndex } from '../site-index.js';
import type { PlaceRequest } from '../types.js';

/** Users this near a site are taken to see the network as the site does. */
export const ANCHOR_KM = 100;
const ANCHORS_MAX = 4;
/** Chord of `ANCHOR_KM` on the unit sphere, squared. */
const ANCHOR_CHORD = 2 * Math.sin(ANCHOR_KM / 6_371 / 2);
const ANCHOR_SQUARED = ANCHOR_CHORD * ANCHOR_CHORD;
/** Measured sites looked at around one user location. */
const AROUND_MAX = 1_024;

/** Round trips from every user location to one site. */
export interface UserRow {
  readonly ms: Float64Array;
  /** 1 where a measured round trip carries the figure, 0 where it is estimated from coordinates alone. */
  readonly measured: Uint8Array;
}

/** What the first rows of one decision's users lie in. */
interface Slab {
  readonly ms: Float64Array;
  readonly measured: Uint8Array;
}

/** Round trips of one slab: 20 sites and 2,000 user locations. 360 kB. */
const SLAB = 40_000;
/** Slabs that nobody uses at the moment. */
const spare: Slab[] = [];
const SPARE_MAX = 2;

/**
 * The users of one decision, and what they are away from sites. Within 100 km of a site with a measured round trip to the
 * site asked about, that measurement and the local way are used; else the great-circle estimate. What was measured from
 * the users themselves wins over both. A row is worked out when it is first asked for.
 */
export class Users {
  readonly count: number;
  /** Shares of the demand; they add up to 1. */
  readonly weight: Float64Array;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly #rows = new Map<number, UserRow>();
  #slab: Slab | undefined;
  #anchors: { site: Int32Array; squared: Float64Array; some: boolean } | undefined;
  #scratch: Float64Array | undefined;

  constructor(
    readonly points: readonly DemandPoint[],
    readonly index: SiteIndex,
    private readonly measured?: PlaceRequest['measuredMs'],
  ) {
    this.count = points.length;
    this.weight = new Float64Array(this.count);
    this.x = new Float64Array(this.count);
    this.y = new Float64Array(this.count);
    this.z = new Float64Array(this.count);
    let sum = 0;
    for (const { weight } of points) sum += weight;
    for (let p = 0; p < this.count; p += 1) this.#read(p, sum);
  }

  #read(p: number, sum: number): void {
    const point = this.points[p];
    if (!point) return;
    const lat = (point.lat * Math.PI) / 180;
    const lon = (point.lon * Math.PI) / 180;
    const around = Math.cos(lat);
    this.weight[p] = point.weight / sum;
    this.x[p] = around * Math.cos(lon);
    this.y[p] = around * Math.sin(lon);
    this.z[p] = Math.sin(lat);
  }

  /** Whether round trips were measured from the users themselves: then no two locations are alike. */
  get areMeasured(): boolean {
    return this.measured !== undefined;
  }

  /** Whether what is so far away counts as the same place: then the way needs no measurement. */
  isAt(squaredChord: number): boolean {
    return squaredChord <= ANCHOR_SQUARED;
  }

  /** Round trips to a site of the index. */
  row(site: number): UserRow {
    const known = this.#rows.get(site);
    if (known) return known;
    const row = this.#emptyRow();
    this.fill(site, row);
    this.#rows.set(site, row);
    return row;
  }

  #emptyRow(): UserRow {
    const { count } = this;
    const from = this.#rows.size * count;
    this.#slab ??= spare.pop() ?? { ms: new Float64Array(SLAB), measured: new Uint8Array(SLAB) };
    if (from + count > SLAB) return { ms: new Float64Array(count), measured: new Uint8Array(count) };
    return {
      ms: this.#slab.ms.subarray(from, from + count),
      measured: this.#slab.measured.subarray(from, from + count).fill(0),
    };
  }

  /** Leaves what its rows lay in to the next decision: none of them is used any more. Without it they are garbage, no more. */
  release(): void {
    this.#rows.clear();
    if (this.#slab && spare.length < SPARE_MAX) spare.push(this.#slab);
    this.#slab = undefined;
  }

  /** Fills `ms` with the round trips to a site, without keeping them. */
  fillMs(site: number, ms: Float64Array): void {
    this.#unread ??= new Uint8Array(this.count);
    this.fill(site, { ms, measured: this.#unread });
  }
  #unread: Uint8Array | undefined;

  /** As `row`, into one whose `measured` is 0 everywhere, without keeping it. */
  fill(site: number, row: UserRow): void {
    this.#estimate(site, row);
    this.#anchored(site, row);
    this.#ownMeasured(site, row);
  }

  #estimate(site: number, { ms, measured }: UserRow): void {
    const { x, y, z } = this;
    const sx = this.index.x[site] ?? 0;
    const sy = this.index.y[site] ?? 0;
    const sz = this.index.z[site] ?? 0;
    for (let p = 0; p < ms.length; p += 1) {
      const dx = (x[p] ?? 0) - sx;
      const dy = (y[p] ?? 0) - sy;
      const dz = (z[p] ?? 0) - sz;
      const squared = dx * dx + dy * dy + dz * dz;
      ms[p] = rttMsOfSquaredChord(squared);
      // Users at a site need no measurement to it.
      if (squared <= ANCHOR_SQUARED) measured[p] = 1;
    }
  }

  /** By the nearest anchor that has a measurement to the site, unless the site itself is nearer. */
  #anchored(site: number, { ms, measured }: UserRow): void {
    if (!this.index.anchors) return;
    const known = this.index.rttOf(site);
    if (known.length === 0) return;
    const { site: anchor, squared, some } = (this.#anchors ??= this.#findAnchors());
    if (!some) return;
    const rtt = (this.#scratch ??= new Float64Array(this.index.sites.length).fill(Number.NaN));
    for (const other of known) rtt[other.site] = other.ms;
    rtt[site] = 0;
    for (let p = 0; p < ms.length; p += 1) {
      for (let n = p * ANCHORS_MAX; n < (p + 1) * ANCHORS_MAX; n += 1) {
        const at = anchor[n] ?? -1;
        if (at < 0) break;
        const between = rtt[at] ?? Number.NaN;
        if (Number.isNaN(between)) continue;
        ms[p] = between + rttMsOfSquaredChord(squared[n] ?? 0);
        measured[p] = 1;
        break;
      }
    }
    for (const other of known) rtt[other.site] = Number.NaN;
    rtt[site] = Number.NaN;
  }

  #ownMeasured(site: number, { ms, measured }: UserRow): void {
    if (!this.measured) return;
    const name = this.index.sites[site]?.name ?? '';
    for (let p = 0; p < ms.length; p += 1) {
      const own = this.measured[p]?.get(name);
      if (own === undefined) continue;
      ms[p] = own;
      measured[p] = 1;
    }
  }

  /** By point: the nearest measured sites within 100 km, nearest first, -1 after the last. */
  #findAnchors() {
    const site = new Int32Array(this.count * ANCHORS_MAX).fill(-1);
    const squared = new Float64Array(this.count * ANCHORS_MAX);
    const around = new Int32Array(AROUND_MAX);
    let some = false;
    const { x, y, z, index } = this;
    const { anchors } = index;
    const count = anchors ? this.count : 0;
    for (let p = 0; p < count; p += 1) {
      const px = x[p] ?? 0;
      const py = y[p] ?? 0;
      const pz = z[p] ?? 0;
      const found = anchors?.around(this, p, around) ?? 0;
      for (let n = 0; n < found; n += 1) {
        const at = around[n] ?? 0;
        const dx = px - (index.x[at] ?? 0);
        const dy = py - (index.y[at] ?? 0);
        const dz = pz - (index.z[at] ?? 0);
        const far = dx * dx + dy * dy + dz * dz;
        if (far > ANCHOR_SQUARED) continue;
        some = true;
        insert(site, squared, p * ANCHORS_MAX, { at, far });
      }
    }
    return { site, squared, some };
  }
}

/** Keeps the nearest few sorted, equal ones by name (their index). */
function insert(
  site: Int32Array,
  squared: Float64Array,
  base: number,
  { at, far }: { at: number; far: number },
): void {
  let slot = ANCHORS_MAX;
  while (slot > 0) {
    const other = site[base + slot - 1] ?? -1;
    const away = squared[base + slot - 1] ?? 0;
    if (other >= 0 && (away < far || (away === far && other < at))) break;
    if (slot < ANCHORS_MAX) {
      site[base + slot] = other;
      squared[base + slot] = away;
    }
    slot -= 1;
  }
  if (slot >= ANCHORS_MAX) return;
  site[base + slot] = at;
  squared[base + slot] = far;
}
