import { Injectable } from '@nestjs/common';
import {
  compareVersions,
  isWorkloadObject,
  workloadKey,
  type Access,
  type Desired,
  type SiteObject,
  type Version,
} from '@skerry/contracts';
import type { Delivered } from '@skerry/domain';

/** What lies in `DL` of the site as such. */
interface AtSite {
  sequence: number;
  generation: number;
}

interface Unheard {
  version: Version;
  /** Monotonic ms. */
  since: number;
}

/** What lies in `DL`, without the bodies: known to the active instance only, in memory. */
@Injectable()
export class DeliveredStore {
  private readonly byKey = new Map<string, Map<string, Delivered>>();
  private readonly bySite = new Map<string, Map<string, Delivered>>();
  /** What is wanted of a site as such, by kind. */
  private readonly siteObjects = new Map<string, Map<SiteObject['kind'], AtSite>>();
  /** What lies there of who may act at a site, with its sequence. */
  private readonly accesses = new Map<string, { access: Access; sequence: number }>();
  /** Written here and not yet heard back from the site: since when, by site and workload. */
  private readonly unheard = new Map<string, Map<string, Unheard>>();
  /** Deleted here before the stream has told of it: the sequence, by site and workload. */
  private readonly deleted = new Map<string, number>();
  /** Up to where the stream has told. */
  private told = 0;
  private highest = 0;
  private behind: number | undefined;

  /** Highest sequence of `DL` that this process ever saw, kept when it is no longer active. */
  get highestSeen(): number {
    return this.highest;
  }

  /** Sequence that a message got although a higher one had been seen before it was sent: the stream went back in time. */
  get wentBackTo(): number | undefined {
    return this.behind;
  }

  /** Learns of a message written here; `highestBefore` is `highestSeen` from before it was sent. */
  wrote(object: Desired, sequence: number, highestBefore: number): void {
    if (sequence <= highestBefore) this.behind = sequence;
    this.learn(object, sequence);
    if (!isWorkloadObject(object)) return;
    const waiting = this.unheard.get(object.site) ?? new Map<string, Unheard>();
    waiting.set(workloadKey(object.project, object.name), {
      version: object.version,
      since: performance.now(),
    });
    this.unheard.set(object.site, waiting);
  }

  /** The site says that it acts on this version. */
  heard(site: string, key: string, version: Version): void {
    const waiting = this.unheard.get(site);
    const wanted = waiting?.get(key);
    if (waiting === undefined || wanted === undefined || compareVersions(version, wanted.version) < 0) return;
    waiting.delete(key);
    if (waiting.size === 0) this.unheard.delete(site);
  }

  /** Sites that have not been heard of something that was written before `until` (monotonic ms). */
  silentSince(until: number): string[] {
    return [...this.unheard].flatMap(([site, waiting]) =>
      [...waiting.values()].some((u) => u.since < until) ? [site] : [],
    );
  }

  saw(sequence: number): void {
    this.highest = Math.max(this.highest, sequence);
  }

  /**
   * Hears of a message from the stream, in its order. What was deleted here meanwhile is there no more: each write names what it
   * follows, so one that was believed to be there would keep everything from that site for ever.
   */
  hear(object: Desired, sequence: number): void {
    this.told = sequence;
    this.saw(sequence);
    if (!this.isDeleted(object, sequence)) this.learn(object, sequence);
    for (const [place, deleted] of this.deleted) {
      if (deleted > sequence) break;
      this.deleted.delete(place);
    }
  }

  private isDeleted(object: Desired, sequence: number): boolean {
    if (!isWorkloadObject(object)) return false;
    const place = placeOf(object.site, workloadKey(object.project, object.name));
    return sequence <= (this.deleted.get(place) ?? 0);
  }

  /** Learns of a message of `DL`; an older one than is known of the same object changes nothing. */
  learn(object: Desired, sequence: number): void {
    this.saw(sequence);
    if (!isWorkloadObject(object)) {
      const ofSite = this.siteObjects.get(object.site) ?? new Map<SiteObject['kind'], AtSite>();
      const { kind, generation } = object;
      this.siteObjects.set(object.site, ofSite.set(kind, { sequence, generation }));
      if (object.kind === 'Access') this.accesses.set(object.site, { access: object, sequence });
      return;
    }
    const key = workloadKey(object.project, object.name);
    const known = this.byKey.get(key)?.get(object.site);
    if (known !== undefined && known.sequence >= sequence) return;
    const delivered: Delivered = { kind: object.kind, version: object.version, sequence };
    at(this.byKey, key).set(object.site, delivered);
    at(this.bySite, object.site).set(key, delivered);
  }

  /** The message with this sequence is gone from `DL`. */
  forget(key: string, site: string, sequence: number): void {
    if (this.byKey.get(key)?.get(site)?.sequence !== sequence) return;
    remove(this.byKey, key, site);
    remove(this.bySite, site, key);
    if (sequence > this.told) this.deleted.set(placeOf(site, key), sequence);
  }

  forgetSite(site: string): void {
    for (const key of this.bySite.get(site)?.keys() ?? []) remove(this.byKey, key, site);
    this.bySite.delete(site);
    this.unheard.delete(site);
    this.siteObjects.delete(site);
    this.accesses.delete(site);
  }

  clear(): void {
    this.byKey.clear();
    this.bySite.clear();
    this.unheard.clear();
    this.siteObjects.clear();
    this.accesses.clear();
    this.deleted.clear();
    this.told = 0;
    this.behind = undefined;
  }

  /** What lies there of one workload, by site. */
  ofWorkload(key: string): ReadonlyMap<string, Delivered> {
    return this.byKey.get(key) ?? NOTHING;
  }

  /** What lies there for one site, by workload. */
  ofSite(site: string): ReadonlyMap<string, Delivered> {
    return this.bySite.get(site) ?? NOTHING;
  }

  /** Sequence of the site's retirement, when it was told to go. */
  retirement(site: string): number | undefined {
    return this.siteObjects.get(site)?.get('Retirement')?.sequence;
  }

  /** The rules for the site's nodes, as they were written last. */
  nodeRules(site: string): AtSite | undefined {
    return this.siteObjects.get(site)?.get('NodeRules');
  }

  /** A retirement was taken back. */
  forgetRetirement(site: string): void {
    this.siteObjects.get(site)?.delete('Retirement');
  }

  /** Who may act at the site without the hub, as it was written last, and where. */
  access(site: string): { access: Access; sequence: number } | undefined {
    return this.accesses.get(site);
  }

  /** Sequences of what is wanted of the site as such; without who may act there when the site holds that generation. */
  ofSiteItself(site: string, heldAccess?: number): number[] {
    return [...(this.siteObjects.get(site) ?? [])].flatMap(([kind, { sequence, generation }]) =>
      kind === 'Access' && generation === heldAccess ? [] : [sequence],
    );
  }

  sites(): string[] {
    return [...new Set([...this.bySite.keys(), ...this.siteObjects.keys()])];
  }

  /** Removals that a site has not acknowledged yet. */
  tombstones(): { key: string; site: string; delivered: Delivered }[] {
    return [...this.byKey].flatMap(([key, sites]) =>
      [...sites].flatMap(([site, delivered]) =>
        delivered.kind === 'Tombstone' ? [{ key, site, delivered }] : [],
      ),
    );
  }
}

const placeOf = (site: string, key: string) => `${site} ${key}`;

const NOTHING: ReadonlyMap<string, Delivered> = new Map();

function at(maps: Map<string, Map<string, Delivered>>, key: string): Map<string, Delivered> {
  const there = maps.get(key);
  if (there !== undefined) return there;
  const made = new Map<string, Delivered>();
  maps.set(key, made);
  return made;
}

function remove(maps: Map<string, Map<string, Delivered>>, outer: string, inner: string): void {
  const there = maps.get(outer);
  there?.delete(inner);
  if (there?.size === 0) maps.delete(outer);
}
