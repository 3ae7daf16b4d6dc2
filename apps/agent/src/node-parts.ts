import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  bucketSubject,
  SITE,
  SITE_BUCKETS,
  workloadKey,
  type Assignment,
  type DriverName,
} from '@skerry/contracts';
import { Copies } from './datasets/copies.js';
import { EntryLogs } from './datasets/logs/entry-logs.js';
import { replicaLogs } from './datasets/logs/replica-logs.js';
import { ReadyCopies } from './datasets/ready-copies.js';
import { RefusalsHere } from './datasets/refused-here.js';
import { replicaDatasets } from './datasets/replica-datasets.js';
import { Objects } from './objects/objects.js';
import { replicaObjects } from './objects/replica-objects.js';
import { DesiredStore } from './desired/desired-store.js';
import type { Driver } from './drivers/driver.js';
import { MockDriver } from './drivers/mock-driver.js';
import { Drivers } from './drivers/registry.js';
import { gpusOf } from './gpus.js';
import { HealthChecks } from './health/health-checks.js';
import { HubSilence } from './hub-silence.js';
import type { Log } from './log.js';
import { LogKeeper } from './logs/log-keeper.js';
import { AllotmentBook } from './members/allotment-book.js';
import { Roster } from './members/roster.js';
import { allocatableOf } from './node-facts.js';
import { Cgroups } from './process/cgroups.js';
import { ProcessDriver } from './process/process-driver.js';
import { workFolder } from './process/work-folder.js';
import { Admission } from './replicas/admission.js';
import type { GpuPlan } from './replicas/gpu-holders.js';
import { ReplicaRunner } from './replicas/replica-runner.js';
import { ReplicaStore } from './replicas/replica-store.js';
import { Supervisor, type Report } from './replicas/supervisor.js';
import { ReportCounter } from './reports/report-counter.js';
import { Reporter } from './reports/reporter.js';
import { FirmAllotments } from './singletons/firm-allotments.js';
import { Singletons } from './singletons/singletons.js';
import { serversOf, type Folders, type SiteFile } from './site-file.js';
import { makeTracing } from './tracing.js';

/** Reads what this node has on its disk, and makes of it the parts of an agent, none of which does anything yet. */
export async function makeParts(of: { dir: string; site: SiteFile; places: Folders; log: Log }) {
  const { dir, site, places, log } = of;
  const cgroups = Cgroups.detect(treeName(site.site, dir));
  const processes = ProcessDriver.available()
    ? new ProcessDriver({ workRoot: places.work, cgroups })
    : undefined;
  const drivers = new Drivers([...(processes ? [processes] : []), new MockDriver()] satisfies Driver[]);
  const { records, ...state } = await openState(places, log);
  const { store, replicas, roster, book } = state;
  const tracing = await makeTracing(site.site);
  const health = new HealthChecks();
  const place = placeOf(site);
  const { room, admission, gpus } = takeStock(site, dir, drivers);
  const silence = await HubSilence.open(places.lease);
  const singletons = new Singletons(places, silence, log);
  const datasets = await openDatasets({ site, places, silence, log });
  const { endpoint, deadline } = singletons;
  const runner = new ReplicaRunner({
    ...place,
    workRoot: places.work,
    portRange: site.portRange,
    drivers,
    gpus,
    store: replicas,
    health,
    tracing,
    hub: silence,
    ready: datasets.ready,
    doors: { endpoint, natsUrl: natsUrlOf(site, places) },
    deadline,
    log,
  });
  singletons.serve(runner);
  const callerOf = (token: string) => runner.byToken(token)?.workload.assignment;
  for (const answers of replicaAnswers(datasets, callerOf)) endpoint.also(answers);
  const firm = new FirmAllotments(book, log, (key) => supervisor.allotted(key));
  const share = {
    several: () => roster.several,
    of: (key: string) => book.get(key),
    mayBegin: (key: string) => firm.mayBegin(key),
  };
  const supervisor = new Supervisor({ hub: silence, store, runner, admission, place, share, log });
  const reporter = reporterOf({ state, supervisor, silence, tracing, node: site.node, log });
  const logs = logKeeper(runner, site, places, log);
  logs.start();
  supervisor.onChange((key) => reporter.changed(key));
  return {
    records,
    room,
    ...state,
    supervisor,
    runner,
    reporter,
    health,
    drivers,
    cgroups,
    tracing,
    processes,
    logs,
    silence,
    singletons,
    firm,
    ...datasets,
  };
}

/** Where the site's server lets replicas in, if it does: this agent then has what it lets them in with. */
function natsUrlOf(site: SiteFile, places: Folders): string | undefined {
  if (!existsSync(places.localSeed) || !existsSync(places.loginsSeed)) return undefined;
  return serversOf(site)
    .servers.map((server) => `nats://${server}`)
    .join(',');
}

function reporterOf(of: {
  state: Pick<Awaited<ReturnType<typeof openState>>, 'store' | 'roster' | 'counter'>;
  supervisor: Supervisor;
  silence: HubSilence;
  tracing: Awaited<ReturnType<typeof makeTracing>>;
  node: SiteFile['node'];
  log: Log;
}): Reporter {
  const { supervisor, silence, tracing, node, log } = of;
  const { store, roster, counter } = of.state;
  // What a node tells its site's controller has an order there: its number needs no disk, which may be full.
  let told = Date.now();
  return new Reporter({
    report: (key) => supervisor.report(key),
    traceOf: (key) => store.get(key)?.traceparent,
    counter: { next: async () => (roster.several ? (told += 1) : await counter.next()) },
    losses: () => silence.losses,
    subjectOf: (report) => reportSubject(roster.several ? node : undefined, report),
    tracing,
    log,
  });
}

/** What this node holds of datasets. */
async function openDatasets(of: { site: SiteFile; places: Folders; silence: HubSilence; log: Log }) {
  const { places, silence, log } = of;
  const here = { site: of.site.site, node: of.site.node, log };
  const copies = await Copies.open(places.datasets, {
    ...here,
    covers: (losses) => silence.covers(losses),
  });
  const entryLogs = await EntryLogs.open(places.entryLogs, here);
  const silentMs = () => silence.silentMs;
  const ready = await ReadyCopies.open(places.wholeCopies, { copies, logs: entryLogs, silentMs, log });
  const objects = await Objects.open(places.objects, copies, { log, keys: places.datasets });
  return { copies, entryLogs, ready, objects, refusals: new RefusalsHere() };
}

/** What replicas reach of it. */
function replicaAnswers(
  { copies, entryLogs, objects, refusals }: Awaited<ReturnType<typeof openDatasets>>,
  callerOf: (token: string) => Assignment | undefined,
) {
  return [
    replicaObjects(objects, callerOf, refusals),
    replicaDatasets({ copies, refusals }, callerOf),
    replicaLogs({ logs: entryLogs, refusals }, callerOf),
  ];
}

/** Room for the logs of all replicas, unless `site.json` says otherwise. */
const LOGS_MIB = 1_024;

/** Exchanges the logs of what runs when they grow long, and keeps all of them within their room. */
function logKeeper(runner: ReplicaRunner, site: SiteFile, places: Folders, log: Log): LogKeeper {
  const folders = () => runner.upIds('process').map((id) => workFolder(places.work, id).logs);
  const bytes = (site.budget.logsMiB ?? LOGS_MIB) * 1024 * 1024;
  return new LogKeeper({ folders, log, budget: { workRoot: places.work, bytes } });
}

const placeOf = ({ site, node, address }: SiteFile) => ({ site, node, address });

/** All that this node has on its disk. */
async function openState(places: Folders, log: Log) {
  const store = await DesiredStore.open(places, log);
  const roster = await Roster.open(places.members, log);
  const book = await AllotmentBook.open(places.allotments, log);
  const counter = await ReportCounter.open(places.counter);
  const { store: replicas, records } = await ReplicaStore.open(places, log);
  return { store, roster, book, counter, replicas, records };
}

/** Where this node's reports go: at a site of several nodes to the controller, which makes one of all. */
function reportSubject(node: string | undefined, { project, name }: Report): string {
  return node === undefined
    ? SITE.outboxWorkload(project, name)
    : bucketSubject(SITE_BUCKETS.seen.name, `${node}.${workloadKey(project, name)}`);
}

/** What there is to give on this machine, and who decides what of it is given. */
function takeStock(site: SiteFile, dir: string, drivers: Drivers) {
  const { model, devices } = gpusOf(site);
  const room = allocatableOf(site, dir, { model, devices });
  const admission = new Admission(room, offered(site, drivers));
  const gpus: GpuPlan = { devices, planned: (key, slot) => admission.gpusOf(key, slot) };
  return { room, admission, gpus };
}

/** Drivers that this machine has and may use. */
export function offered(site: SiteFile, drivers: Drivers): DriverName[] {
  return drivers.names().filter((name) => site.drivers.includes(name));
}

/** Two clouds on one machine may have sites of the same name. */
function treeName(site: string, dir: string): string {
  return `${site}-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`;
}
