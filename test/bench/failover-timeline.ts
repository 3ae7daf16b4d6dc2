import type { Bus, Following } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  observedSchema,
  siteStateSchema,
  STREAMS,
  type Observed,
  type SitePhase,
  type SiteState,
} from '@skerry/contracts';

const ALIVE: ReadonlySet<string> = new Set(['running', 'completed']);

/** What the hub knows, as it comes to know it: phases of sites and what each reports, with `performance.now()` of each. */
export class Timeline {
  private readonly phases = new Map<string, SitePhase>();
  private readonly nodes = new Map<string, number>();
  /** When a site was last declared lost. */
  private readonly lostAt = new Map<string, number>();
  private readonly observed = new Map<string, Map<string, Observed>>();
  private readonly waiting = new Set<() => void>();
  private followings: Following[] = [];
  private looking = false;

  static async follow(bus: Bus): Promise<Timeline> {
    const timeline = new Timeline();
    timeline.followings = await Promise.all([
      bus.follow(bucketStream(BUCKETS.siteStates.name), (m) => {
        const parsed = siteStateSchema.safeParse(m.data.length === 0 ? undefined : m.json());
        if (parsed.success) timeline.state(parsed.data);
      }),
      bus.follow(
        STREAMS.OBSERVED.name,
        (m) => {
          const parsed = observedSchema.safeParse(m.json());
          if (parsed.success) timeline.report(parsed.data);
        },
        { filters: ['observed.*.workload.>'] },
      ),
    ]);
    await Promise.all(timeline.followings.map((f) => f.caughtUp));
    return timeline;
  }

  async end(): Promise<void> {
    await Promise.all(this.followings.map((f) => f.drain()));
  }

  phaseOf(site: string): SitePhase | undefined {
    return this.phases.get(site);
  }

  /** Nodes that a site counts as there. */
  nodesOf(site: string): number {
    return this.nodes.get(site) ?? 0;
  }

  /** When a site was last declared lost; undefined for never, or not after `since`. */
  lostSince(site: string, since: number): number | undefined {
    const at = this.lostAt.get(site);
    return at === undefined || at < since ? undefined : at;
  }

  /** Workloads with a running replica at a site. */
  workloadsAt(site: string): string[] {
    return [...this.observed].flatMap(([name, sites]) => (aliveIn(sites.get(site)) > 0 ? [name] : []));
  }

  /** Replicas reported running, leaving out sites. */
  running(workload: string, without: ReadonlySet<string> = new Set()): number {
    const sites = [...(this.observed.get(workload) ?? [])];
    return sites.reduce((sum, [site, report]) => sum + (without.has(site) ? 0 : aliveIn(report)), 0);
  }

  /** Reports of a workload by site. */
  reports(workload: string): ReadonlyMap<string, Observed> {
    return this.observed.get(workload) ?? new Map();
  }

  /** Resolves with the moment at which a condition holds, looked at with every piece of news; rejects when the time is up. */
  async until(holds: () => boolean, withinMs: number, what: () => string): Promise<number> {
    if (holds()) return performance.now();
    return await new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        this.waiting.delete(look);
      };
      const look = () => {
        if (!holds()) return;
        stop();
        resolve(performance.now());
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`not within ${withinMs} ms: ${what()}`));
      }, withinMs);
      this.waiting.add(look);
    });
  }

  private state({ site, phase, nodes }: SiteState): void {
    this.nodes.set(site, nodes);
    if (phase === 'lost' && this.phases.get(site) !== 'lost') this.lostAt.set(site, performance.now());
    this.phases.set(site, phase);
    this.news();
  }

  private report(report: Observed): void {
    const name = report.name;
    const sites = this.observed.get(name) ?? new Map<string, Observed>();
    sites.set(report.site, report);
    this.observed.set(name, sites);
    this.news();
  }

  /** News come in bursts, and looks cost what the product is short of then: processor time. One look a turn is exact enough. */
  private news(): void {
    if (this.looking) return;
    this.looking = true;
    setImmediate(() => {
      this.looking = false;
      for (const look of this.waiting) look();
    });
  }
}

function aliveIn(report: Observed | undefined): number {
  return report?.replicas.filter((r) => ALIVE.has(r.phase)).length ?? 0;
}
