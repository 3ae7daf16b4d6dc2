import type { Bus, Following } from '@skerry/bus';
import {
  compareVersions,
  observedSchema,
  parseAcross,
  SITE_BUCKETS,
  workloadKey,
  type Allotment,
  type Assignment,
  type CheckResult,
  type Observed,
  type Tombstone,
} from '@skerry/contracts';
import { hasEnded, mergeReplicas, mergeRuns } from '@skerry/domain';
import type { Report } from '../replicas/supervisor.js';
import type { SiteNodes } from './site-nodes.js';
import { mayRunOnLost, type NodeReports } from './site-state.js';

/** What was decided of a workload. */
export interface Decided {
  allotment: Allotment | undefined;
  /** Revision of the allotment in its bucket; 0 while it is not there yet. */
  revision: number;
  refusal: CheckResult | undefined;
}

const NONE: NodeReports = new Map<string, Observed>();

/** What the nodes of a site report, and the one report that the hub gets of it. */
export class SiteReports {
  private readonly seen = new Map<string, Map<string, Observed>>();
  /** By key of the bucket: the revision of what is known. */
  private readonly revisions = new Map<string, number>();
  private following: Following | undefined;
  /** Until no lease of a lost node can be left, by workload. */
  private readonly waiting = new Map<string, NodeJS.Timeout>();

  constructor(
    private readonly bus: Bus,
    private readonly nodes: Pick<
      SiteNodes,
      'hasApplied' | 'known' | 'leaseIsOver' | 'leaseLeftMs' | 'lost' | 'names'
    >,
    private readonly changed: (key: string) => void,
  ) {}

  /** Follows what nodes report; resolves when all that lies there is known. */
  async follow(): Promise<void> {
    this.following = await this.bucket().follow((change) => {
      if (change.kind === 'put') this.learn(change.key, change.value, change.revision);
      else if (change.kind === 'gone') this.learn(change.key);
    });
    await this.following.caughtUp;
  }

  async stop(): Promise<void> {
    for (const timer of this.waiting.values()) clearTimeout(timer);
    await this.following?.drain();
  }

  /** Up to which sequence of bucket `seen` all is known. */
  get position(): number {
    return this.following?.position ?? 0;
  }

  of(key: string): NodeReports {
    return this.seen.get(key) ?? NONE;
  }

  /**
   * Forgets what nodes reported of a workload that is gone everywhere. Throws `Conflict` when one has reported since: it was
   * applied anew, and the node says it once.
   */
  async forget(key: string): Promise<void> {
    for (const node of this.of(key).keys()) await this.delete(`${node}.${key}`);
  }

  /** Forgets what a node reported that was removed, but for what has ended there for good: that is not run again elsewhere. */
  async forgetNode(node: string): Promise<void> {
    for (const [key, reports] of this.seen) {
      const report = reports.get(node);
      if (report !== undefined && !report.replicas.some(hasEnded)) await this.delete(`${node}.${key}`);
    }
  }

  /**
   * The site's report of a workload that is wanted; undefined while its newest version is undecided, and while nodes may act on
   * a newer one: the site's server may have lost it, and it comes by digest.
   */
  ofAssignment(key: string, object: Assignment, { allotment, refusal }: Decided): Report | undefined {
    const reports = this.of(key);
    const lost = this.nodes.lost(reports.keys());
    const isNewer = (r: Observed) => compareVersions(r.version, object.version) > 0;
    const behind = [...reports].some(([node, r]) => !lost.has(node) && isNewer(r));
    if (behind || !this.nodes.known) return undefined;
    const decided = allotment !== undefined && compareVersions(allotment.version, object.version) === 0;
    if (!decided && refusal === undefined) return undefined;
    const runs = object.cron === undefined ? undefined : mergeRuns(reports.values());
    return {
      ...nameOf(object),
      state: refusal === undefined ? 'accepted' : 'refused',
      ...(refusal === undefined ? {} : { refusal }),
      wanted: object.replicas,
      replicas: mergeReplicas({ allotment, reports, lost }),
      ...(runs === undefined ? {} : { runs }),
    };
  }

  /** The site's report of a workload that was removed: absent when every node that is there says so, and knows of it. */
  ofTombstone(key: string, object: Tombstone, { allotment, revision }: Decided): Report | undefined {
    if (!this.nodes.known) return undefined;
    const reports = this.of(key);
    const lost = this.endedAt(key, allotment);
    const told =
      allotment === undefined ||
      this.nodes.names.every((name) => lost.has(name) || this.nodes.hasApplied(name, revision));
    const gone = told && [...reports].every(([node, r]) => lost.has(node) || isGone(r, object));
    return {
      ...nameOf(object),
      state: gone ? 'absent' : 'accepted',
      wanted: 0,
      replicas: gone ? [] : mergeReplicas({ allotment: undefined, reports, lost }),
    };
  }

  /** Of lost nodes those on which nothing of it can run any more: a singleton goes on until its lease has run out. */
  private endedAt(key: string, allotment: Allotment | undefined): Set<string> {
    const reports = this.of(key);
    const lost = this.nodes.lost(reports.keys());
    const waits = [...lost].filter(
      (node) => !this.nodes.leaseIsOver(node) && mayRunOnLost(node, allotment, reports.get(node)),
    );
    if (waits.length > 0) {
      const soonest = Math.min(...waits.map((node) => this.nodes.leaseLeftMs(node)));
      clearTimeout(this.waiting.get(key));
      this.waiting.set(key, setTimeout(() => this.changed(key), soonest + 1).unref());
    }
    return new Set([...lost].filter((node) => !waits.includes(node)));
  }

  private async delete(seenKey: string): Promise<void> {
    await this.bucket().delete(seenKey, this.revisions.get(seenKey));
  }

  private learn(seenKey: string, report?: Observed, revision?: number): void {
    if (revision === undefined) this.revisions.delete(seenKey);
    else this.revisions.set(seenKey, revision);
    const [node = '', project = '', name = ''] = seenKey.split('.');
    const key = workloadKey(project, name);
    const reports = this.seen.get(key) ?? new Map<string, Observed>();
    if (report === undefined) reports.delete(node);
    else reports.set(node, report);
    if (reports.size > 0) this.seen.set(key, reports);
    else this.seen.delete(key);
    this.changed(key);
  }

  private bucket() {
    return this.bus.bucket(SITE_BUCKETS.seen, parseObserved);
  }
}

function nameOf({ site, project, name, version }: Assignment | Tombstone) {
  return { kind: 'Observed' as const, site, project, name, version };
}

/** Whether a node says that nothing of a removed workload is left on it. */
export function isGone(report: Observed, { version }: Tombstone): boolean {
  return report.state === 'absent' && compareVersions(report.version, version) >= 0;
}

function parseObserved(value: unknown): Observed {
  const parsed = parseAcross(observedSchema, value);
  if (parsed.ok) return parsed.value;
  throw new Error(`${parsed.issues[0]?.path}: ${parsed.issues[0]?.problem}`);
}
