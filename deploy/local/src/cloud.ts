import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SiteDescription } from '@skerry/contracts';
import {
  hubServers,
  hubUrls,
  portsOf,
  requireFreePorts,
  requireOwnAddress,
  writeCloudFile,
  type CloudFile,
} from './cloud-file.js';
import { foundCloud, writeHub } from './found.js';
import { lastLines } from './process-log.js';
import { freePorts } from './ports.js';
import { cloudPaths, type CloudPaths } from './paths.js';
import {
  agentOf,
  agentProcess,
  hubProcess,
  leafProcess,
  SERVICES,
  serviceProcess,
  type Programs,
  type ServiceName,
} from './processes.js';
import { DelayRelay } from './relay.js';
import { takeRunLock } from './run-lock.js';
import { writeLeafConfig } from './site-folder.js';
import { Supervisor, type Endings, type ProcessSpec } from './supervisor.js';

const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
/** A process that ended by itself so often before it was ready will do so again. */
const MAX_ENDINGS = 4;
const ANSWER_TIMEOUT_MS = 2_000;
const LOOPBACK = '127.0.0.1';
/** Asks an agent to stop its replicas too before it ends. */
const STOP_WITH_REPLICAS: NodeJS.Signals = 'SIGUSR2';

export interface CloudOptions {
  /** Folder of the cloud; founded at the first start. */
  home: string;
  programs: Programs;
  /** Sites to found it with; a cloud that exists keeps its own. */
  sites: readonly SiteDescription[];
  /** `ephemeral` for tests: any free ports, so that several clouds run side by side. Default `fixed`. */
  ports?: 'fixed' | 'ephemeral';
  /** Instances of each service. Default 1. */
  instances?: number;
  /** Servers of a hub that is founded: one, or three that keep three copies of everything. Default 1. */
  hub?: 1 | 3;
  /** Nodes of a site that is founded, at most 16: machines that it pretends to have, each with an agent. Default 1. */
  nodes?: (site: string) => number;
  /** Round trip from the hub to a site, put on the link. Default none. */
  wanRttMs?: (site: string) => number;
  /** Changes how a process of a site is run; tests put sites on machines of their own with it. Default: as it is. */
  siteProcess?: (site: string, spec: ProcessSpec) => ProcessSpec;
  /** Sites of which nothing is started here: somebody else plays them. Default none. */
  elsewhere?: (site: string) => boolean;
  /** Address that sites on other machines dial. Default loopback, or what the cloud was founded with. */
  listen?: string;
  onProgress?: (line: string) => void;
  /** Aborted while the cloud starts: the start fails and what ran is ended. */
  signal?: AbortSignal;
}

/** What an agent leaves in its folder when its site was removed. */
const RETIRED = 'retired';

/** A whole cloud on this machine: a hub, the services, and sites with a leaf server and an agent each, all processes of their own. */
export class LocalCloud {
  readonly paths: CloudPaths;
  private readonly relays: DelayRelay[] = [];
  private readonly httpPorts = new Map<string, number>();
  /** Ports of the api by instance. */
  private readonly apiPorts = new Map<number, number>();
  private constructor(
    private readonly options: CloudOptions,
    readonly supervisor: Supervisor,
    readonly file: CloudFile,
    private readonly unlock: () => Promise<void>,
  ) {
    this.paths = cloudPaths(options.home);
  }

  /**
   * Founds or resumes the cloud of a folder, starts everything and resolves when it is ready. On failure nothing is
   * left running. Throws `CloudRunsAlready`, having touched nothing, while a cloud runs from this folder.
   */
  static async start(options: CloudOptions): Promise<LocalCloud> {
    const paths = cloudPaths(options.home);
    const unlock = await takeRunLock(paths.runLock);
    let local: LocalCloud | undefined;
    try {
      local = await LocalCloud.prepare(options, paths, unlock);
      await local.startAll(options.onProgress ?? (() => undefined));
      return local;
    } catch (cause) {
      await (local === undefined ? unlock() : local.stop());
      throw cause;
    }
  }

  /** Everything that a start needs before its first process. */
  private static async prepare(
    options: CloudOptions,
    paths: CloudPaths,
    unlock: () => Promise<void>,
  ): Promise<LocalCloud> {
    const say = options.onProgress ?? (() => undefined);
    const left = await Supervisor.endLeftovers(paths.pids);
    if (left.length > 0) say(`ended ${left.length} processes that an earlier run left behind`);
    const listen = options.listen ?? LOOPBACK;
    await requireOwnAddress(listen);
    const founded = await foundCloud(paths, {
      sites: options.sites,
      ports: options.ports ?? 'fixed',
      listen,
      hub: options.hub ?? 1,
      nodes: options.nodes,
    });
    const file = options.listen === undefined ? founded.cloud : { ...founded.cloud, listen: options.listen };
    requireSameHub(options, file);
    await requireOwnAddress(file.listen);
    await requireFreePorts(file, paths.cloudFile);
    // Remembered, so that sites elsewhere find the hub again after any later start.
    if (file.listen !== founded.cloud.listen) await writeCloudFile(paths.cloudFile, file);
    await writeHub(paths, { ...founded, cloud: file });
    let local: LocalCloud | undefined;
    const onExit = (name: string, { how, final }: Endings) => {
      const agent = agentOf(name);
      if (agent !== undefined && existsSync(join(paths.node(agent.site, agent.node), RETIRED))) {
        void local?.nodeLeft(agent.site);
        return 'end';
      }
      const again = final ? '' : '; starting it again';
      say(`${name} ended (${how})${again}, see ${join(paths.logs, `${name}.log`)}`);
      return 'restart';
    };
    const supervisor = new Supervisor({ logs: paths.logs, pidFile: paths.pids, onExit });
    local = new LocalCloud(options, supervisor, file, unlock);
    return local;
  }

  /** A node of a site that was removed has cleared up: after the last its server ends and nothing of it stays on this machine. */
  private async nodeLeft(site: string): Promise<void> {
    if (!this.nodesOf(site).every((node) => existsSync(join(this.paths.node(site, node), RETIRED)))) return;
    this.file.sites = this.file.sites.filter((s) => s.description.name !== site);
    await writeCloudFile(this.paths.cloudFile, this.file);
    await this.supervisor.stop(`leaf-${site}`);
    await rm(this.paths.site(site), { recursive: true, force: true });
    this.options.onProgress?.(`site ${site} was removed: nothing of it is left on this machine`);
  }

  /** Of the api's first instance. */
  get apiUrl(): string {
    return `http://127.0.0.1:${this.file.ports.api}`;
  }

  /** Of each instance of the api. */
  get apiUrls(): string[] {
    return [...this.apiPorts.values()].map((port) => `http://127.0.0.1:${port}`);
  }

  /** Addresses at which services and people reach the hub. */
  get hubUrls(): string[] {
    return hubUrls(this.file);
  }

  get siteNames(): string[] {
    return this.file.sites.map((s) => s.description.name);
  }

  /** Numbers of a site's nodes, from 1. */
  nodesOf(site: string): number[] {
    const nodes = this.file.sites.find((s) => s.description.name === site)?.nodes ?? 1;
    return Array.from({ length: nodes }, (_, i) => i + 1);
  }

  /** Starts one more instance of a service, or one that was stopped. */
  async startService(app: ServiceName, instance = 0): Promise<void> {
    // Its leaf servers start later: a port that is free now may be theirs.
    const promised = [...portsOf(this.file), ...this.httpPorts.values()];
    const [httpPort = 0, other = 0] = await freePorts(2, [...promised, ...this.apiPorts.values()]);
    // Only the first is in the CLI's context.
    const apiPort = instance === 0 ? this.file.ports.api : (this.apiPorts.get(instance) ?? other);
    const ports = { httpPort, apiPort };
    const spec = serviceProcess(this.options.programs, this.paths, this.file, { app, instance, ...ports });
    this.httpPorts.set(spec.name, httpPort);
    if (app === 'api') this.apiPorts.set(instance, apiPort);
    this.supervisor.start(spec);
  }

  startLeaf(site: string): void {
    this.startAt(site, leafProcess(this.options.programs, this.paths, site));
  }

  startAgent(site: string, node = 1): void {
    this.startAt(site, agentProcess(this.options.programs, this.paths, site, node));
  }

  private startAt(site: string, spec: ProcessSpec): void {
    this.supervisor.start(this.options.siteProcess?.(site, spec) ?? spec);
  }

  /** Starts one server of the hub, or one that was stopped. */
  startHub(name = 'hub'): void {
    this.supervisor.start(hubProcess(this.options.programs, this.paths, name));
  }

  /** Resolves when a service (or all) answers that it is ready; rejects with what it says and where its log is. */
  async ready(
    names: readonly string[] = [...this.httpPorts.keys()],
    timeoutMs = READY_TIMEOUT_MS,
  ): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    await Promise.all(names.map((name) => this.waitReady(name, deadline)));
  }

  /** The leases that a process of a service holds; none when it does not answer. */
  async holds(name: string): Promise<string[]> {
    const answer = await ask(`http://127.0.0.1:${this.httpPorts.get(name) ?? 0}/readyz`);
    const report: unknown = answer === undefined ? undefined : JSON.parse(answer.text);
    if (typeof report !== 'object' || report === null || !('holds' in report)) return [];
    return Object.keys(report.holds ?? {});
  }

  /** Stops everything in order: sites with their replicas, services, hub. `keepReplicas` leaves the replicas running. */
  async stop(options: { keepReplicas?: boolean } = {}): Promise<void> {
    const { supervisor } = this;
    const names = supervisor.names();
    const of = (prefix: string) => names.filter((n) => n.startsWith(prefix));
    const signal = options.keepReplicas === true ? 'SIGTERM' : STOP_WITH_REPLICAS;
    await Promise.all(of('agent-').map((n) => supervisor.stop(n, signal)));
    await Promise.all(of('leaf-').map((n) => supervisor.stop(n)));
    const hub = new Set(hubServers(this.file).map(({ name }) => name));
    await Promise.all(
      names.filter((n) => !hub.has(n) && !/^(agent|leaf)-/.test(n)).map((n) => supervisor.stop(n)),
    );
    await Promise.all([...hub].map((name) => supervisor.stop(name)));
    await Promise.all(this.relays.map((r) => r.close()));
    await this.unlock();
  }

  private async startAll(say: (line: string) => void): Promise<void> {
    say('starting the hub');
    for (const { name } of hubServers(this.file)) this.startHub(name);
    await this.hubUp();
    say(`starting ${SERVICES.length} services and ${this.file.sites.length} sites`);
    for (const app of SERVICES) {
      for (let i = 0; i < (this.options.instances ?? 1); i++) await this.startService(app, i);
    }
    for (const site of this.siteNames.filter((name) => this.options.elsewhere?.(name) !== true)) {
      await writeLeafConfig(this.paths, this.file, site, await this.leafUrls(site));
      this.startLeaf(site);
      for (const node of this.nodesOf(site)) this.startAgent(site, node);
    }
    await this.ready();
  }

  /** Where a site finds the servers of the hub. */
  private async leafUrls(site: string): Promise<string[]> {
    const host = this.file.listen === '0.0.0.0' ? '127.0.0.1' : this.file.listen;
    const rttMs = this.options.wanRttMs?.(site) ?? 0;
    return await Promise.all(
      hubServers(this.file).map(async ({ leaf: port }) => {
        if (rttMs <= 0) return `tls://${host}:${port}`;
        const relay = await DelayRelay.listen({ oneWayMs: rttMs / 2, target: { host, port } });
        this.relays.push(relay);
        return `tls://127.0.0.1:${relay.port}`;
      }),
    );
  }

  private async hubUp(): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    await Promise.all(
      hubServers(this.file).map(({ name, monitor }) =>
        this.answers(name, `http://127.0.0.1:${monitor}/healthz`, deadline),
      ),
    );
  }

  private async waitReady(name: string, deadline: number): Promise<void> {
    await this.answers(name, `http://127.0.0.1:${this.httpPorts.get(name) ?? 0}/readyz`, deadline);
  }

  /** Resolves when a process says at a URL that it is well; rejects when it keeps ending, or is not by the deadline. */
  private async answers(name: string, url: string, deadline: number): Promise<void> {
    for (let last = 'it does not answer'; ;) {
      const answer = await ask(url);
      if (answer?.ok) return;
      last = answer?.text ?? last;
      const endings = this.supervisor.endings(name);
      if (endings !== undefined && (endings.final || endings.times >= MAX_ENDINGS)) {
        const times = endings.times === 1 ? '' : ` ${endings.times} times`;
        throw await this.notReady(name, `it ended${times} while it was started (${endings.how})`);
      }
      if (Date.now() > deadline) throw await this.notReady(name, last);
      await this.pause();
    }
  }

  private async notReady(name: string, said: string): Promise<Error> {
    const log = join(this.paths.logs, `${name}.log`);
    const tail = await lastLines(log, 5);
    return new Error(`${name} did not become ready: ${said}\nThe last lines of ${log}:\n${tail}`);
  }

  private async pause(): Promise<void> {
    this.options.signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A hub does not grow by itself: its streams would have to be copied to the new servers first. */
function requireSameHub({ hub, home }: CloudOptions, file: CloudFile): void {
  const servers = hubServers(file).length;
  if (hub === undefined || hub === servers) return;
  throw new Error(
    `the cloud in ${home} was founded with a hub of ${servers}, not ${hub}: start it without --hub, or found another with SKERRY_HOME=<another folder>`,
  );
}

/** What a URL answers; undefined when nothing comes in time. */
async function ask(url: string): Promise<{ ok: boolean; text: string } | undefined> {
  // A timer of its own: Node 20 may collect the signal of `AbortSignal.timeout`, and then nothing would end this.
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), ANSWER_TIMEOUT_MS);
  try {
    const answer = await fetch(url, { signal: limit.signal });
    return { ok: answer.ok, text: await answer.text() };
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
