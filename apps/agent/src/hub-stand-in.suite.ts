import type { Bus } from '@skerry/bus';
import {
  compareVersions,
  digestRequestSchema,
  heartbeatSchema,
  isWorkloadObject,
  nodeSchema,
  observedSchema,
  SITE,
  type Desired,
  type DigestAnswer,
  type DigestRequest,
  type Heartbeat,
  type Node,
  type Observed,
} from '@skerry/contracts';
import { eventually, type SiteUnderTest } from './site-under-test.suite.js';

/** Stands in for the hub at the site's own server: answers digests, takes reports, hears heartbeats. */
export class HubStandIn {
  readonly reports: Observed[] = [];
  readonly ids: string[] = [];
  readonly digests: DigestRequest[] = [];
  readonly nodes = new Map<string, Node>();
  readonly beats: { at: number; beat: Heartbeat }[] = [];
  /** Whether it answers pings and digests and takes reports. */
  there = true;
  /** What the intake answers; default: it takes everything. */
  intake: () => object = () => ({ ok: true });
  private readonly wanted = new Map<string, Desired>();

  private constructor(readonly bus: Bus) {
    const absent = { ok: false, code: 'unavailable', retryAfterMs: 100 };
    bus.respond(SITE.digest, (m) => {
      if (!this.there) throw new Error('away');
      return this.digest(digestRequestSchema.parse(m.json()));
    });
    bus.respond(SITE.ping, () => {
      if (!this.there) throw new Error('away');
      return { at: new Date().toISOString(), lease: true };
    });
    bus.listen(SITE.heartbeat, (m) => {
      this.beats.push({ at: Date.now(), beat: heartbeatSchema.parse(m.json()) });
    });
    bus.respond('up.>', (m) => {
      const answer = this.there ? this.intake() : absent;
      if ('ok' in answer && answer.ok === true && m.subject.startsWith('up.node.')) {
        const node = nodeSchema.parse(m.json());
        // What a frozen agent had fetched comes late, after what is newer: as the inventory, it looks at the number.
        if (node.report > (this.nodes.get(node.node)?.report ?? 0)) this.nodes.set(node.node, node);
      }
      if ('ok' in answer && answer.ok === true && m.subject.startsWith('up.workload.')) {
        this.reports.push(observedSchema.parse(m.json()));
        this.ids.push(m.headers['Nats-Msg-Id'] ?? '');
      }
      return answer;
    });
  }

  static async at(site: SiteUnderTest): Promise<HubStandIn> {
    return new HubStandIn(await site.connect());
  }

  /** Wants these objects of the site, and has it ask. */
  want(...objects: Desired[]): void {
    for (const object of objects) {
      this.wanted.set(isWorkloadObject(object) ? `${object.project}.${object.name}` : object.kind, object);
    }
    this.bus.say(SITE.request('digest'), {});
  }

  /** The newest report of a workload. */
  newest(name: string): Observed | undefined {
    return this.reports
      .filter((r) => r.name === name)
      .reduce<Observed | undefined>((a, b) => (a === undefined || b.report > a.report ? b : a), undefined);
  }

  /** Waits for a report of a workload that is as wanted. */
  async seen(name: string, is: (o: Observed) => boolean, withinMs?: number): Promise<Observed> {
    try {
      return await eventually(
        `a report of ${name}`,
        () => {
          const newest = this.newest(name);
          return newest !== undefined && is(newest) ? newest : undefined;
        },
        withinMs,
      );
    } catch (cause) {
      throw new Error(`the newest report is ${JSON.stringify(this.newest(name))}`, { cause });
    }
  }

  async running(name: string, count = 1): Promise<Observed> {
    return await this.seen(name, (o) => o.replicas.filter((r) => r.phase === 'running').length === count);
  }

  private digest(request: DigestRequest): DigestAnswer {
    this.digests.push(request);
    const held = new Map(request.items.map((i) => [`${i.project}.${i.name}`, i.version]));
    const objects = [...this.wanted].flatMap(([key, object]): Desired[] => {
      if (!isWorkloadObject(object)) return [object];
      const version = held.get(key);
      return version === undefined || compareVersions(object.version, version) > 0 ? [object] : [];
    });
    return { objects, unknown: [...held.keys()].filter((k) => !this.wanted.has(k)), more: false };
  }
}
