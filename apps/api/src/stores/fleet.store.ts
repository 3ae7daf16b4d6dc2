import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import {
  type Heartbeat,
  heartbeatSchema,
  nameSchema,
  type Node,
  nodeSchema,
  parseAcross,
  positiveCount,
  type Site,
  siteSchema,
  type SiteState,
  siteStateSchema,
  type SiteView,
  workloadKey,
  type WorkloadRef,
} from '@skerry/contracts';
import { z } from 'zod';

/** A site's last heartbeat as this instance heard it. */
export interface Heard {
  heartbeat: Heartbeat;
  /** By this machine's clock, ms since the epoch. */
  atMs: number;
}

/** The part of a placement that is counted here. */
const placedSchema = z.object({
  shares: z.array(z.object({ site: nameSchema, replicas: positiveCount, until: z.string().optional() })),
  costPerMonth: z.number(),
});
type Placed = z.infer<typeof placedSchema>;

/** A heartbeat a site is read at least this far apart: one a second tells no more. */
const HEARTBEAT_EVERY_MS = 2_000;

/** Sites, their states and nodes, and how many replicas are placed at each: folded from the buckets of their owners. */
@Injectable()
export class FleetStore {
  private readonly sites = new Map<string, Site>();
  private readonly byAccount = new Map<string, string>();
  private readonly states = new Map<string, SiteState>();
  private readonly nodesByKey = new Map<string, Node>();
  private readonly heard = new Map<string, Heard>();
  private readonly placements = new Map<string, Placed>();
  private readonly placed = new Map<string, number>();

  takeSite(change: BucketChange<unknown>): void {
    const site = valueOf(change, (value) => siteSchema.safeParse(value));
    if (!site) return;
    this.sites.set(site.name, site);
    this.byAccount.set(site.account, site.name);
  }

  takeState(change: BucketChange<unknown>): void {
    const state = valueOf(change, (value) => siteStateSchema.safeParse(value));
    if (state) this.states.set(change.key, state);
    else this.states.delete(change.key);
  }

  takeNode(change: BucketChange<unknown>): void {
    const node = valueOf(change, (value) => nodeSchema.safeParse(value));
    if (node) this.nodesByKey.set(change.key, node);
    else this.nodesByKey.delete(change.key);
  }

  /** Keeps the sums of replicas by site up to date. The bucket's epoch is no placement and changes nothing. */
  takePlacement(change: BucketChange<unknown>): void {
    const placement = valueOf(change, (value) => placedSchema.safeParse(value));
    this.count(this.placements.get(change.key), -1);
    this.count(placement, 1);
    if (placement && placement.shares.length > 0) this.placements.set(change.key, placement);
    else this.placements.delete(change.key);
  }

  /** Sites that a workload is placed at: without those that give it up, with those that it waits for. */
  sitesOf({ project, name }: WorkloadRef): string[] {
    const shares = this.placements.get(workloadKey(project, name))?.shares ?? [];
    return shares.filter(({ until }) => until !== 'replaced').map(({ site }) => site);
  }

  /** Currency units a month that what is placed costs, by project. */
  costs(): Map<string, number> {
    const costs = new Map<string, number>();
    for (const [key, { costPerMonth }] of this.placements) {
      const [project = ''] = key.split('.');
      costs.set(project, (costs.get(project) ?? 0) + costPerMonth);
    }
    return costs;
  }

  /** Hears a heartbeat on the request subject of `account`; what it says of its own name does not count. */
  takeHeartbeat(account: string, read: () => unknown, nowMs: number): void {
    const site = this.byAccount.get(account);
    const before = site === undefined ? undefined : this.heard.get(site);
    if (site === undefined || (before && nowMs - before.atMs < HEARTBEAT_EVERY_MS)) return;
    const parsed = parseAcross(heartbeatSchema, read());
    if (parsed.ok) this.heard.set(site, { heartbeat: parsed.value, atMs: nowMs });
  }

  site(name: string): Site | undefined {
    return this.sites.get(name);
  }

  lastHeard(site: string): Heard | undefined {
    return this.heard.get(site);
  }

  view(name: string): SiteView | undefined {
    const site = this.sites.get(name);
    if (!site) return undefined;
    const state = this.states.get(name);
    const alive = state?.phase === 'ready' || state?.phase === 'suspect';
    return {
      site,
      ...(state ? { state } : {}),
      replicas: this.placed.get(name) ?? 0,
      running: alive ? (this.heard.get(name)?.heartbeat.running ?? 0) : 0,
    };
  }

  /** Every site but the removed, by name. */
  views(): SiteView[] {
    const names = [...this.sites.values()].filter((s) => s.membership !== 'removed').map((s) => s.name);
    return names.toSorted().flatMap((name) => this.view(name) ?? []);
  }

  nodes(): Node[] {
    const keys = [...this.nodesByKey.keys()].toSorted();
    return keys
      .flatMap((key) => this.nodesByKey.get(key) ?? [])
      .filter((node) => this.sites.get(node.site)?.membership !== 'removed');
  }

  private count(placement: Placed | undefined, sign: 1 | -1): void {
    // What waits for its site to return is placed elsewhere.
    const there = (placement?.shares ?? []).filter(({ until }) => until !== 'returned');
    for (const { site, replicas } of there) {
      this.placed.set(site, (this.placed.get(site) ?? 0) + sign * replicas);
    }
  }
}

function valueOf<T>(
  change: BucketChange<unknown>,
  read: (value: unknown) => { success: true; data: T } | { success: false },
): T | undefined {
  if (change.kind !== 'put') return undefined;
  const parsed = read(change.value);
  return parsed.success ? parsed.data : undefined;
}
