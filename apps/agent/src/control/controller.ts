import { Conflict, type Bucket, type Bus } from '@skerry/bus';
import {
  compareVersions,
  SITE,
  SITE_EPOCH_KEY,
  type Allotment,
  type Assignment,
  type Tombstone,
} from '@skerry/contracts';
import { allot, eachNeedOf, NodeLedger, sameSlots, type Allotted } from '@skerry/domain';
import { changeOf } from '../desired/held-object.js';
import { reason } from '../log.js';
import { allotmentBucket, type AllotmentValue } from '../members/allotment-book.js';
import type { Beats } from '../members/beats.js';
import type { NodeAgent } from '../node-agent.js';
import type { Report } from '../replicas/supervisor.js';
import { Reporter } from '../reports/reporter.js';
import { lastAllotment, nextAllotment } from './next-allotment.js';
import { Refusals } from './refusals.js';
import { SiteNodes } from './site-nodes.js';
import { isGone, SiteReports, type Decided } from './site-reports.js';
import { acceptedOf, finishedOf, isSingle, isUp, runningOn, sameNeed, slotsThat } from './site-state.js';
import type { SiteSummary } from './site-voice.js';

const TICK_MS = 250;
const RETRY_MS = 500;
const TROUBLE_CHARS = 200;
/** Between the report numbers of one controller and of the next: none sends so many. */
const REPORTS_APART = 2 ** 32;

export interface ControllerOptions {
  agent: NodeAgent;
  beats: Beats;
  /** Whether this agent holds the controller's lease now. */
  holds: () => boolean;
  /** Another has taken over. */
  onStale: () => void;
}

/**
 * Decides for a site of several nodes, for as long as this agent holds the site's lease: gives replicas to nodes and takes
 * them from those that are lost, makes one report of what all nodes report, and says what the site could take.
 */
export class Controller implements SiteSummary {
  /** Written, and not yet heard back. */
  private readonly pending = new Map<string, Allotment>();
  private readonly refusals: Refusals;
  private readonly dirty = new Set<string>();
  /** Workloads that wait for what nobody tells: a singleton until it must have ended, a removed one until all nodes know. */
  private readonly waiting = new Set<string>();
  /** Nodes that are being taken out. */
  private readonly leaving = new Set<string>();
  private readonly bucket: Bucket<AllotmentValue>;
  private readonly reporter: Reporter;
  private readonly reports: SiteReports;
  private readonly site: SiteNodes;
  private ledger = new NodeLedger([]);
  private timer: NodeJS.Timeout | undefined;
  private unlisten: () => void = () => undefined;
  private drain: NodeJS.Immediate | undefined;
  private ended = false;

  private constructor(
    private readonly bus: Bus,
    private readonly options: ControllerOptions,
    private readonly fence: number,
  ) {
    const { agent, beats } = options;
    this.bucket = allotmentBucket(bus);
    this.site = new SiteNodes(bus, agent, beats);
    this.reports = new SiteReports(bus, this.site, (key) => this.seen(key));
    this.refusals = new Refusals(
      (key) => this.touch(key),
      (key, misfit) => {
        if (misfit) agent.log.warn('refused: it does not fit on the nodes', { workload: key, ...misfit });
        this.reporter.changed(key);
      },
    );
    this.reporter = new Reporter({
      report: (key) => this.report(key),
      traceOf: (key) => agent.store.get(key)?.traceparent,
      subjectOf: ({ project, name }) => (this.acting() ? SITE.outboxWorkload(project, name) : undefined),
      losses: () => agent.silence.losses,
      counter: agent.counter,
      tracing: agent.tracing,
      log: agent.log,
    });
  }

  /** Takes over: from now on the server refuses what an earlier controller writes. */
  static async begin(bus: Bus, options: ControllerOptions): Promise<Controller> {
    const { agent } = options;
    const bucket = allotmentBucket(bus);
    const before = await bucket.get(SITE_EPOCH_KEY);
    const last = before?.value.kind === 'SiteEpoch' ? before.value.reportsFrom : 0;
    const reportsFrom = Math.max(last, agent.counter.position) + REPORTS_APART;
    await agent.counter.raise(reportsFrom);
    const epoch = { kind: 'SiteEpoch' as const, controller: agent.site.node, reportsFrom };
    const fence = await bucket.put(SITE_EPOCH_KEY, epoch, before?.revision ?? 0);
    await agent.book.reached(fence);
    const controller = new Controller(bus, options, fence);
    await controller.start();
    agent.log.info('controls the site', { epoch: fence, nodes: agent.roster.members.size });
    return controller;
  }

  /** The revision that what it writes is conditional on. */
  get epoch(): number {
    return this.fence;
  }

  /** Whether every report of the site is in its outbox. */
  get idle(): boolean {
    return this.reporter.idle;
  }

  async stop(): Promise<void> {
    this.ended = true;
    this.unlisten();
    clearInterval(this.timer);
    if (this.drain) clearImmediate(this.drain);
    this.refusals.close();
    this.reporter.close();
    await this.reports.stop();
  }

  /** Something about a workload may be new. */
  touch(key: string): void {
    if (this.ended) return;
    this.dirty.add(key);
    this.drain ??= setImmediate(() => this.drainDirty());
  }

  /** Reports it for the site once more: the hub does not know what it was told. */
  again(key: string): void {
    this.reporter.again(key);
  }

  /** Nodes came or went, or are of another size. */
  nodesChanged(): void {
    this.ledger = this.newLedger();
    this.site.look();
    this.touchAll();
  }

  acting(): boolean {
    return !this.ended && this.options.holds();
  }

  capacity() {
    return this.site.capacity();
  }

  standing() {
    return this.site.siteStanding();
  }

  nodes(): number {
    return this.site.names.filter((name) => this.site.isPresent(name)).length;
  }

  held(): number {
    return this.options.agent.store.size;
  }

  running(): number {
    return this.site.present().reduce((sum, n) => sum + n.running, 0);
  }

  troubles(): string[] {
    const all = this.site.present().flatMap((n) => n.troubles.map((t) => `${n.node}: ${t}`));
    return all.map((text) => text.slice(0, TROUBLE_CHARS));
  }

  private async start(): Promise<void> {
    this.unlisten = this.bus.onConnection(() => this.site.askAnew());
    await this.reports.follow();
    this.ledger = this.newLedger();
    this.timer = setInterval(() => this.tick(), TICK_MS).unref();
    this.reporter.use(this.bus, this.options.agent.store.keys());
    this.tick();
    this.touchAll();
  }

  private tick(): void {
    if (!this.acting()) return;
    const changed = this.site.look();
    this.site.publish();
    for (const node of this.site.gone) this.takeOut(node);
    if (changed) return this.touchAll();
    for (const key of this.waiting) this.seen(key);
  }

  /** Takes a node out of the site that was removed; what waits for the word of every node then waits for it no more. */
  private takeOut(node: string): void {
    if (this.leaving.has(node)) return;
    this.leaving.add(node);
    const { agent } = this.options;
    this.reports
      .forgetNode(node)
      .then(async () => await agent.roster.leave(this.bus, node))
      .then(() => agent.log.info('a removed node is taken out of the site', { node }))
      .catch((error: unknown) =>
        agent.log.debug('a removed node was not taken out', { node, reason: reason(error) }),
      )
      .finally(() => this.leaving.delete(node));
  }

  private touchAll(): void {
    const { store, book } = this.options.agent;
    for (const key of new Set([...store.keys(), ...book.keys()])) this.seen(key);
  }

  private seen(key: string): void {
    this.reporter.changed(key);
    this.touch(key);
  }

  private drainDirty(): void {
    this.drain = undefined;
    if (!this.acting()) return;
    const dirty = [...this.dirty];
    this.dirty.clear();
    // What stands first, also of what came here only now: else its room would be given away.
    for (const key of dirty) this.count(this.ledger, key);
    for (const key of dirty) this.decide(key);
  }

  private decide(key: string): void {
    const object = this.options.agent.store.get(key)?.object;
    switch (object?.kind) {
      case 'Assignment':
        return this.decideAssignment(key, object);
      case 'Tombstone':
        return this.decideTombstone(key, object);
      default:
        return;
    }
  }

  private decideAssignment(key: string, object: Assignment): void {
    const before = this.current(key);
    // Who came back may hold less than was decided while it was away.
    if (!this.site.known || (before && compareVersions(before.version, object.version) > 0)) return;
    const current = before?.tombstone === undefined ? before : undefined;
    const held = this.options.agent.store.get(key);
    const accepted = acceptedOf(held, current);
    const change = held && changeOf(held);
    const fresh =
      current === undefined ||
      current.change !== change ||
      compareVersions(object.version, current.version) > 0;
    const result = this.allot(key, object, { current, accepted });
    if (result.waits) return void this.waiting.add(key);
    if (result.missing > 0) {
      if (!this.refusals.hasWaited(key, object)) return;
      if (result.misfit !== undefined) this.refusals.refuse(key, object, result.misfit);
      // What was accepted before goes on.
      if (fresh) return;
    } else this.refusals.forget(key);
    if (isSingle(object) && result.leaving.size > 0) this.waiting.add(key);
    else this.waiting.delete(key);
    const parts = { ...result, before, current, accepted, change, epoch: this.fence, nowMs: Date.now() };
    const next = nextAllotment(object, { ...parts, reports: this.reports.of(key) });
    // What stands too: its assignment may have come here after this controller began.
    this.ledger.set(key, eachNeedOf(object), next.slots);
    const lies = !this.options.agent.book.isOfDisk(key);
    if (!fresh && lies && current.turn === next.turn && sameSlots(current, next)) return;
    this.write(key, next);
  }

  private allot(
    key: string,
    object: Assignment,
    { current, accepted }: { current: Allotment | undefined; accepted: Assignment | undefined },
  ): Allotted {
    const [reports, single] = [this.reports.of(key), isSingle(object)];
    // What nobody was given: of a singleton also what runs under an allotment that the server has lost. What lost nodes run
    // of one is waited for, also of one that was removed meanwhile and comes back.
    const asksWhoRuns = single || current === undefined;
    return allot({
      key,
      assignment: object,
      single,
      before: current,
      sameNeed: accepted !== undefined && sameNeed(accepted, object),
      up: slotsThat(current, reports, isUp),
      running: asksWhoRuns ? this.runningNow(key) : new Map<number, string>(),
      finished: finishedOf(object, current, reports),
      healthy: slotsThat(current, reports, (r) => r.phase === 'running'),
      nodes: this.site.standings(),
      hasEnded: (node) => this.hasEndedOn(node, key),
      mayRunUnknown: () => this.site.mayHideSingleton(),
      ledger: this.ledger,
    });
  }

  /** Whether nothing of a workload can run on a node: it says so itself, or its lease must have run out. */
  private hasEndedOn(node: string, key: string): boolean {
    if (!this.site.isPresent(node)) return this.site.leaseIsOver(node);
    const { book } = this.options.agent;
    const told = !this.pending.has(key) && this.site.hasApplied(node, book.revisionOf(key));
    const known = told && this.reports.position >= this.site.seenOf(node);
    return known && !(this.reports.of(key).get(node)?.replicas.some(isUp) ?? false);
  }

  private decideTombstone(key: string, tombstone: Tombstone): void {
    this.refusals.forget(key);
    this.ledger.set(key, undefined, []);
    const current = this.current(key);
    if (current === undefined) return void this.waiting.delete(key);
    this.waiting.add(key);
    if (current.tombstone === undefined || compareVersions(current.version, tombstone.version) < 0) {
      return this.write(key, lastAllotment(tombstone, current, this.fence));
    }
    this.clear(key, tombstone).catch((error: unknown) =>
      this.options.agent.log.debug('a removed workload was not cleared', { key, reason: reason(error) }),
    );
  }

  /** Once every node, also one that was away, has said that nothing is left, nobody has to be told any more. */
  private async clear(key: string, tombstone: Tombstone): Promise<void> {
    const { book } = this.options.agent;
    const revision = book.revisionOf(key);
    const { site, reports } = this;
    const told = site.names.every((name) => site.isPresent(name) && site.hasApplied(name, revision));
    if (!told || this.pending.has(key)) return;
    if ([...reports.of(key)].some(([node, r]) => site.isMember(node) && !isGone(r, tombstone))) return;
    await reports.forget(key);
    await this.bucket.delete(key, revision);
  }

  private current(key: string): Allotment | undefined {
    return this.pending.get(key) ?? this.options.agent.book.get(key);
  }

  private readonly runningNow = (key: string) =>
    runningOn(this.reports.of(key), (n) => !this.site.isPresent(n));

  private newLedger(): NodeLedger {
    const ledger = new NodeLedger(this.site.rooms());
    for (const key of this.options.agent.book.keys()) this.count(ledger, key);
    return ledger;
  }

  /** Enters what a workload takes as it is allotted now; as it runs, where the server has lost how that is. */
  private count(ledger: NodeLedger, key: string): void {
    const current = this.current(key);
    const held = this.options.agent.store.get(key);
    const accepted = acceptedOf(held, current);
    if (current && accepted) return ledger.set(key, eachNeedOf(accepted), current.slots);
    if (current !== undefined || held?.object.kind !== 'Assignment') return;
    ledger.set(key, eachNeedOf(held.object), [...this.runningNow(key).values()]);
  }

  private write(key: string, allotment: Allotment): void {
    this.pending.set(key, allotment);
    const fence = { key: SITE_EPOCH_KEY, revision: this.fence };
    this.bucket.putFenced(key, allotment, fence).then(
      (revision) => {
        if (this.pending.get(key) === allotment) this.pending.delete(key);
        this.options.agent.book.take(allotment, revision);
        this.seen(key);
      },
      (error: unknown) => this.notWritten(key, allotment, error),
    );
  }

  private notWritten(key: string, allotment: Allotment, error: unknown): void {
    if (this.pending.get(key) === allotment) this.pending.delete(key);
    if (this.ended) return;
    if (error instanceof Conflict) return this.options.onStale();
    this.options.agent.log.debug('an allotment was not written', { key, reason: reason(error) });
    setTimeout(() => this.touch(key), RETRY_MS).unref();
  }

  /** Nodes whose replicas are taken for gone. */
  get lostNodes(): string[] {
    return [...this.site.standings()].flatMap(([name, phase]) => (phase === 'lost' ? [name] : []));
  }

  /** The site's report of a workload; undefined while nothing was decided. */
  report(key: string): Report | undefined {
    const { store, book } = this.options.agent;
    const object = store.get(key)?.object;
    const decided: Decided = {
      allotment: this.current(key),
      revision: this.pending.has(key) ? Number.POSITIVE_INFINITY : book.revisionOf(key),
      refusal: this.refusals.get(key, object?.kind === 'Assignment' ? object : undefined),
    };
    switch (object?.kind) {
      case 'Assignment':
        return this.reports.ofAssignment(key, object, decided);
      case 'Tombstone':
        return this.reports.ofTombstone(key, object, decided);
      default:
        return undefined;
    }
  }
}
