import { join } from 'node:path';
import type { Assignment } from '@skerry/contracts';
import type { Action, StopReason } from '@skerry/domain';
import type { Driver, Ended, Started } from '../drivers/driver.js';
import type { ReadyCopies } from '../datasets/ready-copies.js';
import type { Drivers } from '../drivers/registry.js';
import { Limiter } from '../files/limiter.js';
import type { HealthChecks } from '../health/health-checks.js';
import type { HubView } from '../hub-silence.js';
import { reason, type Log } from '../log.js';
import { workFolder } from '../process/work-folder.js';
import type { Tracing } from '../tracing.js';
import { environmentOf } from './environment.js';
import { GpuHolders, type GpuPlan } from './gpu-holders.js';
import { newRecord } from './new-record.js';
import { findPorts } from './ports.js';
import { grantAccess, type Doors } from './grant-access.js';
import { isUp, tokenOf, type ReplicaRecord } from './replica-record.js';
import type { ReplicaStore } from './replica-store.js';
import { rests, restsAs, type Workload } from './workload.js';

/** Processes brought up at once. */
const STARTS_AT_ONCE = 8;

export interface RunnerOptions {
  site: string;
  node: string;
  address: string;
  workRoot: string;
  portRange: { from: number; to: number };
  drivers: Drivers;
  gpus: GpuPlan;
  store: ReplicaStore;
  health: HealthChecks;
  tracing: Tracing;
  /** What is known of the hub. */
  hub: HubView;
  /** Copies of the datasets that replicas use. */
  ready: Pick<ReadyCopies, 'untilReady'>;
  /** Where replicas ask, and until when singletons may run. */
  doors: Doors;
  deadline: { path: string; ready(): Promise<void> };
  log: Log;
}

/**
 * Carries out what was decided for replicas, one step after the other for each of them, and keeps their records.
 * It decides nothing: each change is told by `onChange`, and what follows from it is decided anew.
 */
export class ReplicaRunner {
  private readonly byId = new Map<string, { workload: Workload; record: ReplicaRecord }>();
  private readonly steps = new Map<string, Promise<void>>();
  private readonly starts = new Limiter(STARTS_AT_ONCE);
  private readonly ports = new Map<string, Set<number>>();
  private readonly listeners: ((workload: Workload) => void)[] = [];

  private readonly gpus: GpuHolders;

  constructor(private readonly options: RunnerOptions) {
    this.gpus = new GpuHolders(options.gpus);
    for (const driver of options.drivers.all()) driver.onEnded((id, ended) => this.ended(id, ended));
  }

  onChange(listener: (workload: Workload) => void): void {
    this.listeners.push(listener);
  }

  get running(): number {
    let count = 0;
    for (const { record } of this.byId.values()) if (record.phase === 'running') count++;
    return count;
  }

  /** The replica that has this token while it may be running, and what it is of. */
  byToken(token: string): { workload: Workload; record: ReplicaRecord } | undefined {
    for (const found of this.byId.values())
      if (found.record.token === token || found.record.asks === token)
        return isUp(found.record) ? found : undefined;
    return undefined;
  }

  /** Tokens of all that may be running, by the ids of the replicas. */
  tokens(): Map<string, string> {
    const all = [...this.records()].map((record) => [record.id, tokenOf(record)] as const);
    return new Map(all.flatMap(([id, token]) => (token === undefined ? [] : [[id, token]])));
  }

  /** Ids of replicas that may be writing to their logs. */
  upIds(driver: Driver['name']): string[] {
    return [...this.byId.values()].flatMap(({ record }) =>
      record.driver === driver && isUp(record) ? [record.id] : [],
    );
  }

  /** Takes in a replica of an earlier agent: as it is while it runs, as ended when it ended meanwhile. */
  async adopt(workload: Workload, record: ReplicaRecord): Promise<void> {
    this.enter(workload, record);
    this.ports.set(record.id, new Set(Object.values(record.ports)));
    if (!isUp(record)) return;
    const adopted = await this.options.drivers.get(record.driver).adopt(record.id, record.live);
    if (!adopted.alive) {
      // Nobody saw how it ended: the machine, or all on it, was gone. That is no failure of its own to wait longer for each time.
      if (adopted.code === undefined) record.streak = 0;
      this.markEnded(record, adopted);
      return;
    }
    if (record.phase === 'stopping') record.phase = 'running';
    if (record.phase === 'starting' && workload.assignment?.health === undefined)
      this.enterPhase(record, 'running');
    this.watchHealth(workload, record);
  }

  perform(workload: Workload, action: Action): void {
    switch (action.kind) {
      case 'start':
        return this.start(workload, action);
      case 'stop':
        return this.stop(workload, action.slot, action.why);
      case 'backoff':
        return this.backoff(workload, action);
      case 'settle':
        return this.settle(workload, action.slot, action.phase);
      case 'forget':
        return this.forget(workload, action.slot);
    }
  }

  /** Resolves when no step is under way. */
  async settled(): Promise<void> {
    while (this.steps.size > 0) await Promise.allSettled(this.steps.values());
  }

  private start(workload: Workload, { slot, fresh, runMs }: Extract<Action, { kind: 'start' }>): void {
    const { assignment } = workload;
    if (assignment === undefined) return;
    const before = workload.replicas.get(slot);
    const record = newRecord(workload, assignment, { site: this.options.site, slot, before, fresh, runMs });
    this.enter(workload, record);
    this.step(record.id, async () => {
      if (assignment.data !== undefined && !(await this.untilReady(record, assignment))) return;
      await this.starts.run(async () => await this.bringUp(workload, record, assignment));
    });
  }

  /** It counts as starting while the copies that it uses are not caught up; the time that it has to become healthy begins then. */
  private async untilReady(record: ReplicaRecord, assignment: Assignment): Promise<boolean> {
    const wanted = () => {
      record.since = Date.now();
      return record.phase === 'starting';
    };
    const waits = (why: string | undefined) => this.enterPhase(record, 'starting', why);
    return await this.options.ready.untilReady(assignment, { wanted, waits });
  }

  private async bringUp(workload: Workload, record: ReplicaRecord, assignment: Assignment): Promise<void> {
    // It may have been given up while it waited for its turn.
    if (record.phase !== 'starting') return;
    const span = this.options.tracing.start(`start ${record.id}`, workload.held?.traceparent, {
      'skerry.replica': record.id,
      'skerry.driver': record.driver,
    });
    const traceparent = span.traceparent ?? workload.held?.traceparent;
    const started = await this.launch(workload, record, { assignment, traceparent });
    span.end(started.ok ? undefined : started.reason);
    if (record.phase !== 'starting') return;
    if (!started.ok && started.heldBack === true) return await this.setAside(record);
    if (!started.ok) return this.markEnded(record, { note: started.reason });
    if (assignment.health === undefined || record.driver === 'mock') this.enterPhase(record, 'running');
    else this.watchHealth(workload, record);
    // What is not durable has its record in a batch; what is was written before it began.
    if (record.driver === 'mock') await this.options.store.put(record);
  }

  private async launch(
    workload: Workload,
    record: ReplicaRecord,
    { assignment, traceparent }: { assignment: Assignment; traceparent: string | undefined },
  ): Promise<Started> {
    const { site, node, address, drivers, store } = this.options;
    const driver = drivers.get(record.driver);
    const ports = await this.portsFor(record, assignment, driver);
    if (!ports.ok) return ports;
    record.ports = ports.ports;
    const gpus = this.gpus.grant(record, assignment, this.records());
    if (!gpus.ok) return gpus;
    const env = environmentOf(assignment, {
      id: record.id,
      site,
      node,
      slot: record.slot,
      address,
      ports: ports.ports,
      gpus: gpus.grant,
      ...(await grantAccess(record, assignment, { moves: workload.moves, doors: this.options.doors })),
      traceparent,
    });
    const { run, resources } = assignment;
    const deadlineFile = record.token === undefined ? undefined : this.options.deadline.path;
    if (deadlineFile !== undefined) await this.options.deadline.ready();
    // Both: it may have been removed while it was being started, and then nothing is wanted that could rest.
    const { hub } = this.options;
    const mayBegin = () => record.phase === 'starting' && !restsAs(assignment, hub) && !rests(workload, hub);
    return await driver.start(
      { id: record.id, run, resources, env, deadlineFile, mayBegin },
      async (live) => {
        record.live = live;
        await store.put(record);
      },
    );
  }

  private async portsFor(record: ReplicaRecord, assignment: Assignment, driver: Driver) {
    const wanted = assignment.run.ports;
    if (wanted.length === 0 || driver.name === 'mock') return { ok: true as const, ports: {} };
    const mine = new Set<number>();
    this.ports.set(record.id, mine);
    const taken = {
      has: (port: number) => this.isTaken(port),
      add: (port: number) => void mine.add(port),
      delete: (port: number) => void mine.delete(port),
    };
    return await findPorts(wanted, { range: this.options.portRange, before: record.ports, taken });
  }

  private *records(): Iterable<ReplicaRecord> {
    for (const { record } of this.byId.values()) yield record;
  }

  private isTaken(port: number): boolean {
    for (const ports of this.ports.values()) if (ports.has(port)) return true;
    return false;
  }

  private stop(workload: Workload, slot: number, why: StopReason): void {
    const record = workload.replicas.get(slot);
    if (record === undefined) return;
    this.options.health.forget(record.id);
    this.enterPhase(record, 'stopping', messageOf(why) ?? record.message);
    this.step(record.id, async () => {
      await this.options.drivers.get(record.driver).stop(record.id, record.live, record.stop);
      delete record.live;
      const unwell = why === 'unhealthy' || why === 'never-healthy';
      record.ending = { cause: unwell ? 'stopped' : 'set-aside' };
      this.enterPhase(record, 'ended', record.message);
      // What only rests is found by the next agent as resting.
      if (why === 'paused') await this.options.store.put(record);
    });
  }

  private backoff(workload: Workload, action: Extract<Action, { kind: 'backoff' }>): void {
    const record = workload.replicas.get(action.slot);
    if (record === undefined) return;
    record.streak = action.streak;
    record.retryAt = action.retryAtMs;
    this.enterPhase(record, 'backoff', record.message);
    this.step(record.id, async () => await this.options.store.put(record));
  }

  private settle(workload: Workload, slot: number, phase: 'completed' | 'failed'): void {
    const record = workload.replicas.get(slot);
    if (record === undefined) return;
    record.phase = phase;
    // On the disk before it is reported: a job that completed is never run again.
    this.step(record.id, async () => {
      await this.options.store.put(record);
      this.changed(workload);
    });
  }

  private forget(workload: Workload, slot: number): void {
    const record = workload.replicas.get(slot);
    if (record === undefined) return;
    workload.replicas.delete(slot);
    workload.clearing++;
    this.step(record.id, async () => {
      try {
        await this.options.drivers.get(record.driver).release(record.id, record.live);
        await this.options.store.remove(record);
      } finally {
        workload.clearing--;
      }
      // A new replica may have taken the slot meanwhile.
      if (this.byId.get(record.id)?.record === record) {
        this.byId.delete(record.id);
        this.ports.delete(record.id);
      }
      this.changed(workload);
    });
  }

  private ended(id: string, ended: Ended): void {
    const found = this.byId.get(id);
    if (found === undefined || !isUp(found.record) || found.record.phase === 'stopping') return;
    this.options.health.forget(id);
    this.markEnded(found.record, ended);
  }

  private markEnded(record: ReplicaRecord, { code, note }: Ended): void {
    record.ending = { cause: 'exited', ...(code === undefined ? {} : { code }) };
    if (code === undefined) delete record.exitCode;
    else record.exitCode = code;
    delete record.live;
    this.enterPhase(record, 'ended', note);
  }

  /** It did not begin, and nothing is wrong with it: it does as soon as it may. */
  private async setAside(record: ReplicaRecord): Promise<void> {
    record.ending = { cause: 'set-aside' };
    delete record.live;
    this.enterPhase(record, 'ended', 'not started: it may not run without the hub');
    await this.options.store.put(record);
  }

  private watchHealth(workload: Workload, record: ReplicaRecord): void {
    const { assignment } = workload;
    if (assignment?.health === undefined || record.driver === 'mock' || !isUp(record)) return;
    const { cwd } = workFolder(this.options.workRoot, record.id);
    const { site, node, address, health } = this.options;
    const { id, slot, ports } = record;
    const target = {
      address,
      ports,
      cwd: assignment.run.workingDir === undefined ? cwd : join(cwd, assignment.run.workingDir),
      env: environmentOf(assignment, {
        id,
        site,
        node,
        slot,
        address,
        ports,
        gpus: this.gpus.granted(record),
      }),
    };
    const onChange = (probed: { healthy: boolean; reason?: string }) => {
      if (!isUp(record) || record.phase === 'stopping') return;
      this.enterPhase(record, probed.healthy ? 'running' : 'unhealthy', probed.reason);
    };
    const believed = record.phase === 'running' ? true : undefined;
    health.watch(id, { health: assignment.health, target, onChange }, believed);
  }

  private changed(workload: Workload): void {
    for (const listener of this.listeners) listener(workload);
  }

  private enter(workload: Workload, record: ReplicaRecord): void {
    workload.replicas.set(record.slot, record);
    this.byId.set(record.id, { workload, record });
  }

  private enterPhase(record: ReplicaRecord, phase: ReplicaRecord['phase'], message?: string): void {
    record.phase = phase;
    record.since = Date.now();
    if (message === undefined) delete record.message;
    else record.message = message;
    const found = this.byId.get(record.id);
    if (found !== undefined) this.changed(found.workload);
  }

  /** Steps of one replica follow each other. A step that throws is a bug: it is said, and the next decision goes on. */
  private step(id: string, task: () => Promise<void>): void {
    const before = this.steps.get(id) ?? Promise.resolve();
    const mine = before.then(task).catch((error: unknown) => {
      this.options.log.error('a step of a replica failed', {
        alarm: 'replica-step',
        replica: id,
        reason: reason(error),
      });
    });
    const cleared = mine.then(() => {
      if (this.steps.get(id) === cleared) this.steps.delete(id);
    });
    this.steps.set(id, cleared);
  }
}

/** Why it stops, where its last message does not say it already. */
function messageOf(why: StopReason): string | undefined {
  switch (why) {
    case 'not-wanted':
      return 'stopped: not wanted here any more';
    case 'outdated':
      return 'stopped: a newer version takes its place';
    case 'paused':
      return 'stopped for now: this site is cut off from the hub, or its agent was told to';
    case 'next-run':
      return 'stopped: its next run is due';
    case 'unhealthy':
    case 'never-healthy':
      return undefined;
  }
}
