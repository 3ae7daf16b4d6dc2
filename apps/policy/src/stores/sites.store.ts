import { Inject, Injectable } from '@nestjs/common';
import { Conflict, type Bucket, type BucketChange, type Bus, type Headers } from '@skerry/bus';
import { BUCKETS, HEADERS, siteSchema, type Site } from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { ofSite } from '../events.js';
import { Predecessors } from './predecessors.js';
import type { Held } from './workloads.store.js';

/** How a site came to be what it is now: carried with the write, and what its event is made from. */
export type SiteChange = 'added' | 'joined' | 'changed' | 'suspended' | 'removed';

const TRIES = 5;

/** The bucket `site-specs`, which only policy writes; every site is also held in memory, as last heard. */
@Injectable()
export class SitesStore {
  private readonly bucket: Bucket<Site>;
  private readonly heard = new Map<string, Site>();
  private readonly listeners = new Set<(site: Site) => void>();

  constructor(
    @Inject(BUS) bus: Bus,
    @Inject(Predecessors) private readonly predecessors: Predecessors,
  ) {
    this.bucket = bus.bucket(BUCKETS.siteSpecs, (value) => siteSchema.parse(value));
  }

  /** Called with each change of the bucket, in order. */
  hear(change: BucketChange<Site>): void {
    if (change.kind !== 'put') return;
    this.heard.set(change.key, change.value);
    for (const listener of this.listeners) listener(change.value);
  }

  onChange(listener: (site: Site) => void): void {
    this.listeners.add(listener);
  }

  /** Every site as last heard, removed ones too. */
  all(): Iterable<Site> {
    return this.heard.values();
  }

  byAccount(account: string): Site | undefined {
    return [...this.heard.values()].find((site) => site.account === account);
  }

  /** The site as it is in the bucket now. */
  async read(name: string): Promise<Held<Site> | undefined> {
    return this.bucket.get(name);
  }

  /** Throws `Conflict` unless the site is at `revision` (0: there is none). */
  async commit(site: Site, revision: number, change: SiteChange, headers: Headers = {}): Promise<void> {
    await this.bucket.put(site.name, site, revision, { headers: { ...headers, [HEADERS.change]: change } });
  }

  /** Changes a site to what `change` makes of it as it is now (undefined: nothing); the new value, or undefined. Its generation rises by itself. */
  async change(
    name: string,
    what: SiteChange,
    change: (site: Site) => Site | undefined,
  ): Promise<Site | undefined> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const held = await this.bucket.get(name);
      const next = held && change(held.value);
      if (!held || !next) return undefined;
      await this.predecessors.tell([{ telling: ofSite(held), at: held.at }]);
      const updatedAt = new Date().toISOString();
      const site = { ...next, generation: held.value.generation + 1, updatedAt };
      const won = await this.commit(site, held.revision, what).then(() => true, refusedAsConflict);
      if (won) return site;
    }
    throw new Conflict(`site ${name} changed ${TRIES} times while it was being changed`);
  }
}

function refusedAsConflict(error: unknown): false {
  if (error instanceof Conflict) return false;
  throw error;
}
