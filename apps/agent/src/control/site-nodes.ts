import type { Bus } from '@skerry/bus';
import { SITE, type Member, type Node, type NodePhase, type SiteStanding } from '@skerry/contracts';
import {
  beginNodes,
  capacityOfNodes,
  countedNodes,
  hearingOf,
  leaseOverAt,
  siteStanding,
  tickNodes,
  type NodesHeard,
  type SiteNode,
} from '@skerry/domain';
import { reason } from '../log.js';
import type { Beats, HeardNode } from '../members/beats.js';
import type { NodeAgent } from '../node-agent.js';
import { messageId } from '../reports/message-id.js';

/** The nodes of a site as its controller sees them: who is heard, who may be given what; and tells the hub of each. */
export class SiteNodes {
  private heard: NodesHeard;
  private readonly began = performance.now();
  /** What was heard before this says nothing of what the site's server has: it may have lost what it was told. */
  private countsFrom = performance.now();
  /** Incarnation of each node that has reported all that runs on it, to the site's server as it is. */
  private readonly reported = new Map<string, string>();
  /** What was told of each. */
  private readonly told = new Map<string, string>();
  private settled = false;
  /** How all stood when it was looked last. */
  private summed = '';

  constructor(
    private readonly bus: Bus,
    private readonly agent: NodeAgent,
    private readonly beats: Beats,
  ) {
    this.heard = beginNodes(beats.hearingSince, performance.now());
  }

  get names(): string[] {
    return [...this.members.keys()];
  }

  /** Whether every node has said what runs on it, or is lost: before that nothing is given to anybody. */
  get known(): boolean {
    return this.settled;
  }

  /** The site's server was away: each node reports anew, and until then nothing is given to anybody. */
  askAnew(): void {
    this.countsFrom = performance.now();
    this.reported.clear();
    this.settled = false;
  }

  /** Looks who was heard; returns whether that changes anything. */
  look(): boolean {
    for (const n of this.beats.heard.values())
      if (n.reported && n.at >= this.countsFrom) this.reported.set(n.node, n.incarnation);
    const was = this.heard;
    this.heard = tickNodes(was, {
      now: performance.now(),
      connected: this.bus.connected,
      members: this.names,
      heard: new Map([...this.beats.heard].map(([name, { at }]) => [name, at])),
    });
    this.settled ||= this.names.every((name) => this.hasReported(name) || !this.isPresent(name));
    for (const name of this.names) this.log(name, hearingOf(was, name));
    const before = this.summed;
    this.summed = this.summary();
    return this.summed !== before;
  }

  standing(name: string): NodePhase {
    const rule = this.agent.ruleOf(name);
    if (rule === 'removed') return 'removed';
    const hearing = hearingOf(this.heard, name);
    if (hearing === 'lost') return 'lost';
    if (rule !== undefined) return rule;
    return hearing === 'ready' && this.hasReported(name) ? 'ready' : 'suspect';
  }

  standings(): Map<string, NodePhase> {
    return new Map(this.names.map((name) => [name, this.standing(name)]));
  }

  /** Heard lately enough that what runs there counts. */
  isPresent(name: string): boolean {
    if (!this.members.has(name)) return false;
    const is = this.standing(name);
    return is !== 'lost' && is !== 'removed';
  }

  /** Those of these names, and of the members, whose replicas are taken for gone. */
  lost(names: Iterable<string>): Set<string> {
    return new Set([...names, ...this.names].filter((name) => !this.isPresent(name)));
  }

  /** Nodes that are there, with what they say. */
  present(): HeardNode[] {
    return [...this.beats.heard.values()].filter(({ node }) => this.isPresent(node));
  }

  rooms(): SiteNode[] {
    return [...this.members].map(([name, { report }]) => ({
      name,
      room: report.allocatable,
      drivers: report.drivers,
    }));
  }

  /** What is said of all of them. */
  siteStanding(): SiteStanding | undefined {
    return siteStanding(this.standings().values());
  }

  /** What those that may be given something could take, or have while none may. */
  capacity() {
    const counted = countedNodes(this.standings());
    return capacityOfNodes(this.rooms().filter(({ name }) => counted.has(name)));
  }

  /** Members that were removed and on which nothing can run any more under a lease of the site. */
  get gone(): string[] {
    return this.names.filter((name) => this.standing(name) === 'removed' && this.leaseIsOver(name));
  }

  /** Whether a node belongs to the site. */
  isMember(name: string): boolean {
    return this.members.has(name);
  }

  /** Whether a node acts on this revision of the allotments, and has reported everything since. */
  hasApplied(name: string, revision: number): boolean {
    const heard = this.beats.heard.get(name);
    if (heard === undefined || heard.at < this.countsFrom) return false;
    return heard.reported && heard.applied >= revision;
  }

  /** Sequence in `seen` of the newest that a node has reported. */
  seenOf(name: string): number {
    return this.beats.heard.get(name)?.seen ?? 0;
  }

  /**
   * Whether something may run on a node that nobody knows of: it has not reported all, and may hold a lease. One that has
   * reported begins nothing that it was not given.
   */
  mayHideSingleton(): boolean {
    const names = new Set([...this.names, ...this.beats.heard.keys()]);
    return [...names].some((n) => (this.isPresent(n) ? !this.hasReported(n) : !this.leaseIsOver(n)));
  }

  /** Whether a node cannot hold a lease any more: it is lost, and nobody can have answered it since. */
  leaseIsOver(name: string): boolean {
    // The controller before may have answered what this one did not hear.
    const heardAt = Math.max(this.beats.heard.get(name)?.at ?? 0, this.began);
    return !this.isPresent(name) && performance.now() > leaseOverAt(heardAt);
  }

  /** In how many ms that will be so, if the node is not heard until then; 0 when it is so. */
  leaseLeftMs(name: string): number {
    const heardAt = Math.max(this.beats.heard.get(name)?.at ?? 0, this.began);
    return Math.max(0, leaseOverAt(heardAt) - performance.now());
  }

  /** Tells the hub of those that are not as it was told last. */
  publish(): void {
    for (const [name, member] of this.members) {
      const phase = this.standing(name);
      const said = `${phase} ${member.incarnation}`;
      if (this.told.get(name) === said) continue;
      this.told.set(name, said);
      this.publishOne({ ...member.report, phase }).catch((error: unknown) => {
        this.told.delete(name);
        this.agent.log.debug('a node was not reported', { node: name, reason: reason(error) });
      });
    }
  }

  private async publishOne(node: Node): Promise<void> {
    const report = await this.agent.counter.next();
    const body: Node = { ...node, report, reportedAt: new Date().toISOString() };
    await this.bus.publish(SITE.outboxNode(node.node), body, { messageId: messageId() });
  }

  private get members(): ReadonlyMap<string, Member> {
    return this.agent.roster.members;
  }

  private hasReported(name: string): boolean {
    const incarnation = this.members.get(name)?.incarnation;
    return incarnation !== undefined && this.reported.get(name) === incarnation;
  }

  private summary(): string {
    return `${this.settled} ${this.names.map((name) => `${name}=${this.standing(name)}`).join()}`;
  }

  private log(name: string, before: string): void {
    const is = hearingOf(this.heard, name);
    if (is === before || is === 'suspect') return;
    this.agent.log.warn(is === 'lost' ? 'a node of the site is lost' : 'a node is there', { node: name });
  }
}
