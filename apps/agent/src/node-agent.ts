import { randomBytes } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import {
  compareVersions,
  isWorkloadObject,
  LIMITS,
  type Desired,
  type DriverName,
  type NodeRule,
  type Override,
} from '@skerry/contracts';
import type { Grant, Room } from '@skerry/domain';
import type { Copies } from './datasets/copies.js';
import type { EntryLogs } from './datasets/logs/entry-logs.js';
import type { RefusalsHere } from './datasets/refused-here.js';
import type { ReadyCopies } from './datasets/ready-copies.js';
import type { DesiredStore } from './desired/desired-store.js';
import { keyOf } from './desired/held-object.js';
import { lockFolder } from './files/agent-lock.js';
import type { AllotmentBook } from './members/allotment-book.js';
import type { Roster } from './members/roster.js';
import { isSingle } from './control/site-state.js';
import type { HubSilence } from './hub-silence.js';
import { makeLog, reason, type Log } from './log.js';
import type { Cgroups } from './process/cgroups.js';
import type { Objects } from './objects/objects.js';
import type { ReplicaRunner } from './replicas/replica-runner.js';
import type { Supervisor } from './replicas/supervisor.js';
import type { FirmAllotments } from './singletons/firm-allotments.js';
import type { Singletons } from './singletons/singletons.js';
import type { ReportCounter } from './reports/report-counter.js';
import type { Reporter } from './reports/reporter.js';
import type { LogSource } from './logs/log-reader.js';
import { workFolder } from './process/work-folder.js';
import { folders, readSiteFile, type Folders, type SiteFile } from './site-file.js';
import { makeParts, offered } from './node-parts.js';
import type { Tracing } from './tracing.js';

type Parts = Omit<Awaited<ReturnType<typeof makeParts>>, 'records'> & { unlock: () => Promise<void> };

/**
 * One agent's own half: what is wanted, what runs, and what is to be reported, all from its disk. It needs no
 * server; `Uplink` joins it to one.
 */
export class NodeAgent {
  private retire: (() => void) | undefined;
  private toldAgain: (key: string) => void = () => undefined;
  private superseded: (change: Override) => void = () => undefined;
  /** What is wrong with what the site keeps of itself; told by what keeps it. */
  localTrouble: () => string | undefined = () => undefined;
  /** Hears of workloads that are held here and that the hub does not know. */
  unknownAtHub: (keys: readonly string[]) => void = () => undefined;

  private constructor(
    readonly dir: string,
    readonly site: SiteFile,
    readonly places: Folders,
    readonly log: Log,
    private readonly parts: Parts,
  ) {}

  /** Takes the folder, adopts what runs, and brings up what is wanted. Throws when the folder is wrong or taken. */
  static async start(dir: string, options: { log?: Log } = {}): Promise<NodeAgent> {
    const site = await readSiteFile(dir);
    const log = options.log ?? makeLog();
    const places = folders(dir);
    const unlock = await lockFolder(places.lock);
    await chmod(dir, 0o700);
    await mkdir(places.work, { recursive: true, mode: 0o700 });
    const { records, ...made } = await makeParts({ dir, site, places, log });
    const parts = { ...made, unlock };
    const { supervisor, silence, reporter, singletons, drivers, store } = parts;
    const agent = new NodeAgent(dir, site, places, log, parts);
    agent.followBook();
    silence.start(
      () => supervisor.heedHub(),
      () => reporter.all(),
    );
    await supervisor.begin(records.filter((r) => drivers.names().includes(r.driver)));
    // Those that run ask where they asked before.
    if (records.some((r) => r.token !== undefined || r.asks !== undefined)) await singletons.endpoint.url();
    log.info('agent started', {
      site: site.site,
      node: site.node,
      held: store.size,
      replicas: records.length,
    });
    return agent;
  }

  readonly startedAt = new Date().toISOString();
  /** Random for each start. */
  readonly incarnation = randomBytes(16).toString('hex');

  private taken: (key: string) => void = () => undefined;
  private closing = false;

  /** Told by what talks to the hub. */
  get silence(): HubSilence {
    return this.parts.silence;
  }
  get roster(): Roster {
    return this.parts.roster;
  }
  get book(): AllotmentBook {
    return this.parts.book;
  }
  /** Which singletons this node may begin. */
  get firm(): FirmAllotments {
    return this.parts.firm;
  }
  get counter(): ReportCounter {
    return this.parts.counter;
  }
  /** Whether something may run here at most once anywhere. */
  get holdsSingletons(): boolean {
    return this.store.entries().some(([, { object }]) => object.kind === 'Assignment' && isSingle(object));
  }

  /** What runs here at most once anywhere. */
  get singletons(): Singletons {
    return this.parts.singletons;
  }
  /** Copies of datasets at this node. */
  get copies(): Copies {
    return this.parts.copies;
  }
  /** Logs of datasets at this node. */
  get entryLogs(): EntryLogs {
    return this.parts.entryLogs;
  }
  /** What was refused to workloads here, of datasets. */
  get refusals(): RefusalsHere {
    return this.parts.refusals;
  }
  /** Which of them are caught up. */
  get ready(): ReadyCopies {
    return this.parts.ready;
  }
  /** Objects of datasets at this node. */
  get objects(): Objects {
    return this.parts.objects;
  }
  get store(): DesiredStore {
    return this.parts.store;
  }
  get supervisor(): Supervisor {
    return this.parts.supervisor;
  }
  get runner(): ReplicaRunner {
    return this.parts.runner;
  }
  get reporter(): Reporter {
    return this.parts.reporter;
  }
  get tracing(): Tracing {
    return this.parts.tracing;
  }
  /** What is wrong here and a person has to mend. */
  get troubles(): string[] {
    const found = [
      this.store.trouble,
      this.reporter.trouble,
      this.copies.trouble,
      this.entryLogs.trouble,
      this.localTrouble(),
    ].flatMap((text) => text ?? []);
    return found.map((text) => text.slice(0, LIMITS.troubleChars));
  }
  /** What replicas may use of this machine. */
  get room(): Room {
    return this.parts.room;
  }
  get cgroups(): Cgroups {
    return this.parts.cgroups;
  }

  /** What its report as a node says beside `site.json`. */
  get facts() {
    const { room, driverNames: drivers, startedAt } = this;
    return { room, drivers, cgroup: this.cgroups.kind, startedAt };
  }

  /** Whether a version was accepted for the site that this node does not hold. */
  lacks(key: string): boolean {
    const allotment = this.book.get(key);
    if (allotment === undefined || allotment.tombstone !== undefined) return false;
    const object = this.store.get(key)?.object;
    return (
      object === undefined ||
      !isWorkloadObject(object) ||
      compareVersions(object.version, allotment.version) < 0
    );
  }

  /** Whether this node was removed from its site, which has others: it lets go what it has, and takes no part. */
  get removed(): boolean {
    return this.roster.several && this.ruleOf(this.site.node) === 'removed';
  }

  /** What operators want of a node of this site. */
  ruleOf(node: string): NodeRule | undefined {
    const nodes = this.store.nodeRules?.nodes;
    return nodes !== undefined && Object.hasOwn(nodes, node) ? nodes[node] : undefined;
  }

  /** Drivers that assignments may ask for. */
  get driverNames(): DriverName[] {
    return offered(this.site, this.parts.drivers);
  }

  /** Called with the key of each workload that has to go, when somebody says so again. */
  onToldAgain(listener: (key: string) => void): void {
    this.toldAgain = listener;
  }

  /** Called with the key of each workload of which something newer is held. */
  onTaken(listener: (key: string) => void): void {
    this.taken = listener;
  }

  /** Who says again that it has to go does not know that it has gone. */
  private sayAgain(key: string): void {
    this.reporter.again(key);
    this.toldAgain(key);
  }

  /** The hub has answered what was sent at this moment, by the monotonic clock; with a lease for the site, or without. */
  hubAnswered(sentAt: number, grant?: Grant): void {
    const single = this.holdsSingletons;
    this.silence.heard(sentAt, grant, single);
    if (single) void this.parts.singletons.renew();
  }

  /** The site has several nodes from now on. */
  nowSeveral(): void {
    this.log.info('this site has several nodes now', { nodes: [...this.roster.members.keys()] });
    for (const key of this.store.keys()) this.supervisor.allotted(key);
  }

  /** Called when the site is retired. */
  onRetirement(listener: () => void): void {
    this.retire = listener;
    if (this.store.retirement !== undefined) listener();
  }

  /** Takes an object that came down or by digest: newer ones count, others do nothing. */
  async take(object: Desired, traceparent?: string): Promise<void> {
    if (object.site !== this.site.site) {
      this.log.error('an object for another site', { alarm: 'wrong-site', site: object.site });
      return;
    }
    const change = this.store.get(keyOf(object))?.override?.change;
    const offer = await this.store.offer(object, traceparent === undefined ? {} : { traceparent });
    if (offer !== 'newer') {
      if (object.kind === 'Tombstone') this.sayAgain(keyOf(object));
      return;
    }
    if (change !== undefined && this.store.get(keyOf(object))?.override === undefined)
      this.superseded(change);
    if (object.kind === 'Retirement') this.retire?.();
    else if (isWorkloadObject(object)) {
      this.supervisor.take(keyOf(object));
    }
    this.taken(keyOf(object));
  }

  /**
   * Puts a change that was made at this site over what the hub wants, or takes it away; resolves when that is on the disk.
   * False when the hub wants something newer.
   */
  async override(key: string, change: Override | undefined): Promise<boolean> {
    const standing = this.store.override(key, change);
    this.supervisor.take(key);
    this.taken(key);
    return await standing;
  }

  /** Called with each local change in whose place the hub wants something newer. */
  onSuperseded(listener: (change: Override) => void): void {
    this.superseded = listener;
  }

  private followBook(): void {
    const { book, roster, supervisor, counter, store, firm } = this.parts;
    let several = roster.several;
    roster.onChange(() => {
      if (several || !roster.several) return;
      several = true;
      this.nowSeveral();
    });
    book.onEpoch(({ reportsFrom }) => {
      // Counted from there all the same; whoever controls next writes it down before it reports.
      counter
        .raise(reportsFrom)
        .catch((error: unknown) =>
          this.log.warn('the number of reports was not written', { reason: reason(error) }),
        );
    });
    book.onChange((key, before) => {
      const allotment = book.get(key);
      const object = store.get(key)?.object;
      firm.heard(key);
      if (allotment?.tombstone !== undefined) this.letGo(key);
      else if (allotment !== undefined) supervisor.allotted(key);
      else if (before?.tombstone !== undefined && object?.kind === 'Tombstone') {
        // All nodes have said that nothing is left.
        this.acknowledge(key);
      }
      this.taken(key);
    });
  }

  /** Takes a removal. What the disk does not take is ended all the same, and tried again for as long as it stands. */
  private letGo(key: string): void {
    const tombstone = this.book.get(key)?.tombstone;
    if (tombstone === undefined || this.closing) return;
    this.take(tombstone).catch((error: unknown) => {
      this.log.error('a removal was not taken', { key, reason: reason(error) });
      this.supervisor.allotted(key);
      setTimeout(() => this.letGo(key), LET_GO_AGAIN_MS).unref();
    });
  }

  private acknowledge(key: string): void {
    const held = this.store.get(key);
    if (held === undefined || held.acknowledgedAt !== undefined) return;
    this.store.set(key, { ...held, acknowledgedAt: Date.now() }).catch((error: unknown) => {
      this.log.warn('an acknowledged tombstone was not marked', { workload: key, reason: reason(error) });
    });
  }

  /** Replicas of a workload that have logs on this node. */
  logSources(project: string, name: string): LogSource[] {
    const { site } = this.site;
    return this.supervisor
      .replicas(`${project}.${name}`)
      .filter((r) => r.driver === 'process')
      .map((r) => ({ site, replica: r.id, folder: workFolder(this.places.work, r.id).logs }));
  }

  /** Stops all replicas; with `forget` what they left on the disk goes too. */
  async stopReplicas(options: { forget: boolean }): Promise<void> {
    await this.supervisor.stopAll(options);
  }

  /** Ends this process's part; replicas go on. Resolves when all is on the disk. */
  async close(): Promise<void> {
    const { supervisor, reporter, health, processes, runner, replicas, store, tracing, logs, unlock } =
      this.parts;
    const { book, roster } = this.parts;
    this.closing = true;
    logs.stop();
    this.parts.singletons.close();
    this.parts.firm.close();
    this.silence.stop();
    supervisor.close();
    reporter.close();
    health.close();
    const settled = this.parts.ready.close();
    await Promise.race([runner.settled(), new Promise((go) => setTimeout(go, CLOSE_MS).unref())]);
    processes?.close();
    await settled;
    await this.parts.objects.close();
    await this.parts.copies.close();
    await this.parts.entryLogs.close();
    await store.settled();
    await replicas.flush();
    await book.close();
    await roster.close();
    await tracing.close();
    // What holds no replica any more; the rest stays for the next agent.
    this.cgroups.removeAll();
    await unlock();
  }
}

/** Steps under way may finish for this long; a stop with a longer grace is taken up by the next agent. */
const CLOSE_MS = 2_000;
/** After the disk has not taken a removal. */
const LET_GO_AGAIN_MS = 2_000;
