import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { LIMITS, type Desired, type DriverName } from '@skerry/contracts';
import { MockDriver } from './drivers/mock-driver.js';
import type { Driver } from './drivers/driver.js';
import { Drivers } from './drivers/registry.js';
import type { Room } from '@skerry/domain';
import { DesiredStore } from './desired/desired-store.js';
import { keyOf } from './desired/held-object.js';
import { lockFolder } from './files/agent-lock.js';
import { HealthChecks } from './health/health-checks.js';
import { HubSilence } from './hub-silence.js';
import { makeLog, type Log } from './log.js';
import { gpusOf } from './gpus.js';
import { allocatableOf } from './node-facts.js';
import { Cgroups } from './process/cgroups.js';
import { ProcessDriver } from './process/process-driver.js';
import { Admission } from './replicas/admission.js';
import type { GpuPlan } from './replicas/gpu-holders.js';
import { ReplicaRunner } from './replicas/replica-runner.js';
import { ReplicaStore } from './replicas/replica-store.js';
import { Supervisor } from './replicas/supervisor.js';
import { ReportCounter } from './reports/report-counter.js';
import { Reporter } from './reports/reporter.js';
import type { LogSource } from './logs/log-reader.js';
import { LogKeeper } from './logs/log-keeper.js';
import { workFolder } from './process/work-folder.js';
import { folders, readSiteFile, type Folders, type SiteFile } from './site-file.js';
import { makeTracing, type Tracing } from './tracing.js';

/**
 * One agent's own half: what is wanted, what runs, and what is to be reported, all from its disk. It needs no
 * server; `Uplink` joins it to one.
 */
export class NodeAgent {
  private retire: (() => void) | undefined;

  private constructor(
    readonly dir: string,
    readonly site: SiteFile,
    readonly places: Folders,
    readonly log: Log,
    private readonly parts: {
      unlock: () => Promise<void>;
      room: Room;
      store: DesiredStore;
      replicas: ReplicaStore;
      supervisor: Supervisor;
      runner: ReplicaRunner;
      reporter: Reporter;
      health: HealthChecks;
      drivers: Drivers;
      cgroups: Cgroups;
      tracing: Tracing;
      processes: ProcessDriver | undefined;
      logs: LogKeeper;
    },
  ) {}

  /** Takes the folder, adopts what runs, and brings up what is wanted. Throws when the folder is wrong or taken. */
  static async start(dir: string, options: { log?: Log } = {}): Promise<NodeAgent> {
    const site = await readSiteFile(dir);
    const log = options.log ?? makeLog();
    const places = folders(dir);
    const unlock = await lockFolder(places.lock);
    await chmod(dir, 0o700);
    await mkdir(places.work, { recursive: true, mode: 0o700 });
    const cgroups = Cgroups.detect(treeName(site.site, dir));
    const processes = ProcessDriver.available()
      ? new ProcessDriver({ workRoot: places.work, cgroups })
      : undefined;
    const drivers = new Drivers([...(processes ? [processes] : []), new MockDriver()] satisfies Driver[]);
    const store = await DesiredStore.open(places, log);
    const { store: replicas, records } = await ReplicaStore.open(places, log);
    const tracing = await makeTracing(site.site);
    const health = new HealthChecks();
    const place = { site: site.site, node: site.node, address: site.address };
    const { room, admission, gpus } = takeStock(site, dir, drivers);
    const runner = new ReplicaRunner({
      ...place,
      workRoot: places.work,
      portRange: site.portRange,
      drivers,
      gpus,
      store: replicas,
      health,
      tracing,
      log,
    });
    const supervisor = new Supervisor({ store, runner, admission, place, log });
    const reporter = new Reporter({
      report: (key) => supervisor.report(key),
      traceOf: (key) => store.get(key)?.traceparent,
      counter: await ReportCounter.open(places.counter),
      tracing,
      log,
    });
    const logs = new LogKeeper({
      folders: () => runner.upIds('process').map((id) => workFolder(places.work, id).logs),
      log,
    });
    logs.start();
    supervisor.onChange((key) => reporter.changed(key));
    const parts = {
      unlock,
      room,
      store,
      replicas,
      supervisor,
      runner,
      reporter,
      health,
      drivers,
      cgroups,
      tracing,
      processes,
      logs,
    };
    const agent = new NodeAgent(dir, site, places, log, parts);
    agent.silence.start();
    await supervisor.begin(records.filter((r) => drivers.names().includes(r.driver)));
    log.info('agent started', {
      site: site.site,
      node: site.node,
      held: store.size,
      replicas: records.length,
    });
    return agent;
  }

  readonly startedAt = new Date().toISOString();
  /** Told by what talks to the hub. */
  readonly silence = new HubSilence((cutOff) => this.parts.supervisor.setCutOff(cutOff));
  /** Random for each start. */
  readonly incarnation = randomBytes(16).toString('hex');

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
    const found = [this.store.trouble, this.reporter.trouble].flatMap((text) => text ?? []);
    return found.map((text) => text.slice(0, LIMITS.troubleChars));
  }
  /** What replicas may use of this machine. */
  get room(): Room {
    return this.parts.room;
  }
  get cgroups(): Cgroups {
    return this.parts.cgroups;
  }

  /** Drivers that assignments may ask for. */
  get driverNames(): DriverName[] {
    return offered(this.site, this.parts.drivers);
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
    const offer = await this.store.offer(object, traceparent === undefined ? {} : { traceparent });
    // Who says again that it has to go does not know that it has gone.
    if (offer === 'same' && object.kind === 'Tombstone') this.reporter.again(keyOf(object));
    if (offer !== 'newer') return;
    if (object.kind === 'Retirement') this.retire?.();
    else this.supervisor.take(keyOf(object));
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
    logs.stop();
    this.silence.stop();
    supervisor.close();
    reporter.close();
    health.close();
    await Promise.race([runner.settled(), new Promise((go) => setTimeout(go, CLOSE_MS).unref())]);
    processes?.close();
    await store.settled();
    await replicas.flush();
    await tracing.close();
    // What holds no replica any more; the rest stays for the next agent.
    this.cgroups.removeAll();
    await unlock();
  }
}

/** Steps under way may finish for this long; a stop with a longer grace is taken up by the next agent. */
const CLOSE_MS = 2_000;

/** What there is to give on this machine, and who decides what of it is given. */
function takeStock(site: SiteFile, dir: string, drivers: Drivers) {
  const { model, devices } = gpusOf(site);
  const room = allocatableOf(site, dir, { model, devices });
  const admission = new Admission(room, offered(site, drivers));
  const gpus: GpuPlan = { devices, planned: (key, slot) => admission.gpusOf(key, slot) };
  return { room, admission, gpus };
}

function offered(site: SiteFile, drivers: Drivers): DriverName[] {
  return drivers.names().filter((name) => site.drivers.includes(name));
}

/** Two clouds on one machine may have sites of the same name. */
function treeName(site: string, dir: string): string {
  return `${site}-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`;
}
