import { join } from 'node:path';
import { connectBus, type Bus, type Subscription } from '@skerry/bus';
import { JETSTREAM_API, outboxStream, SITE, SITE_STREAMS, desiredSubject } from '@skerry/contracts';
import { NatsDoor } from './applications/nats-door.js';
import { answerDatasetRequests } from './datasets/dataset-requests.js';
import { DatasetSync } from './datasets/dataset-sync.js';
import { answerEntryRequests } from './datasets/logs/entry-requests.js';
import { LogsSync } from './datasets/logs/logs-sync.js';
import { DigestExchange } from './desired/digest.js';
import { Downlink } from './desired/downlink.js';
import { answerObjectRequests } from './objects/object-requests.js';
import { ObjectSync } from './objects/object-sync.js';
import { Uploads } from './objects/uploads.js';
import { nodeKeys, type NodeKeys } from './sealing/node-keys.js';
import { Sealing } from './sealing/sealing.js';
import { LocalSite } from './local/local-site.js';
import { LogRequests } from './logs/log-requests.js';
import { reason } from './log.js';
import type { NodeAgent } from './node-agent.js';
import { nodeReport } from './reports/node-report.js';
import { serversOf } from './site-file.js';
import { Tombstones } from './desired/tombstones.js';
import { SiteCommand } from './members/site-command.js';

const SETUP_RETRY_MS = 500;
const DOWNLINK_RETRY_MS = 1_000;

/** Joins an agent to its site's server: brings down what is wanted, carries up what is. Everything is tried until it works. */
export class Uplink {
  private bus: Bus | undefined;
  private readonly ends: (() => Promise<void> | void)[] = [];
  /** Ends of what answers people and the hub: a removed node answers nobody. */
  private readonly answers: (() => Promise<void> | void)[] = [];
  private downlink: Downlink | undefined;
  private readonly tombstones: Tombstones;
  /** Who speaks for the site; undefined until this agent was connected once. */
  command: SiteCommand | undefined;
  private closed = false;
  private readonly sealingKeys: () => Promise<NodeKeys>;
  private readonly ready: Promise<void>;
  /** Its applications need no hub, and no controller. */
  private readonly door: NatsDoor;

  constructor(private readonly agent: NodeAgent) {
    this.tombstones = new Tombstones(agent.store, agent.log);
    const { datasets: folder, userSeed: seed } = agent.places;
    this.sealingKeys = nodeKeys({ folder, seed, log: agent.log });
    this.door = NatsDoor.at(agent);
    this.ready = this.join();
  }

  /** The connection, once there is one. */
  get connection(): Bus | undefined {
    return this.bus;
  }

  /** Ends it; what lies in the outbox is carried up by the next agent. */
  async close(): Promise<void> {
    this.closed = true;
    await this.answerNobody();
    await this.door.close();
    for (const end of this.ends.toReversed()) await end();
    await this.bus?.close();
    void this.ready;
  }

  private async join(): Promise<void> {
    const { site, places, log } = this.agent;
    const { replicas } = serversOf(site);
    const bus = await connectBus({
      ...serversOf(site),
      name: `agent ${site.node}`,
      nkeySeedFile: places.agentSeed,
      firstConnectMs: Infinity,
      onAlarm: (alarm) => log.warn('bus', { what: alarm.what, reason: reason(alarm.error) }),
    });
    if (this.closed) return await bus.close();
    this.bus = bus;
    await this.until('outbox', SETUP_RETRY_MS, async () => await makeOutbox(bus, replicas));
    await this.until('members', SETUP_RETRY_MS, async () => await this.register(bus));
    const { agent } = this;
    agent.reporter.use(bus, agent.supervisor.keys());
    const command = new SiteCommand({
      agent,
      bus,
      tombstones: this.tombstones,
      lastSequence: () => this.downlink?.lastSequence ?? 0,
    });
    this.command = command;
    command.onAside(() => void this.answerNobody());
    this.ends.push(async () => await command.close());
    const sweep = setInterval(() => void this.sweep(this.tombstones), TOMBSTONE_SWEEP_MS).unref();
    this.ends.push(() => clearInterval(sweep));
    await command.start();
    if (!agent.removed) this.answer(bus);
    if (!agent.removed) this.keepInStep(bus);
    if (!agent.removed) this.carryObjects(bus);
    if (!agent.removed) this.keepLogsInStep(bus);
    // Nothing that runs waits for it.
    void this.until('journal', SETUP_RETRY_MS, async () => await this.serveHere(bus, command));
    await this.bringDown(bus);
  }

  /** Enters this node among those of the site, and again whenever its entry is gone, unless it was removed. */
  private async register(bus: Bus): Promise<void> {
    const { agent } = this;
    const me = {
      kind: 'Member' as const,
      incarnation: agent.incarnation,
      joinedAt: new Date().toISOString(),
      labels: agent.site.labels,
      report: nodeReport(agent.site, agent.facts),
    };
    if (!agent.removed) await agent.roster.enter(bus, me);
    await agent.roster.follow(bus);
    const again = (connected: boolean) => {
      if (!connected || agent.removed) return;
      agent.roster
        .enter(bus, me)
        .catch((error: unknown) =>
          agent.log.debug('this node was not entered again', { reason: reason(error) }),
        );
    };
    this.ends.push(bus.onConnection(again));
  }

  /** Answers people at the site, and writes down what happens there. */
  private async serveHere(bus: Bus, command: SiteCommand): Promise<void> {
    const local = await LocalSite.open(bus, this.agent, {
      command,
      onDecided: () => command.requestDigest(),
    });
    if (this.closed || this.agent.removed) return await local.close();
    this.answers.push(async () => await local.close());
  }

  private async answerNobody(): Promise<void> {
    for (const end of this.answers.splice(0).toReversed()) await end();
  }

  private answer(bus: Bus): void {
    const { agent } = this;
    const logs = new LogRequests(bus, {
      log: agent.log,
      logSources: (project, name) => agent.logSources(project, name),
      lastWord: () => (agent.roster.several ? (this.command?.acting === true ? 'later' : 'never') : 'now'),
    });
    const hears = bus.listen(SITE.requests, (m) => this.asked(m.subject, m, logs));
    this.answers.push(
      async () => await hears.drain(),
      () => logs.close(),
    );
  }

  /** Copies of datasets: in step with the hub, and open to people who ask through it. */
  private keepInStep(bus: Bus): void {
    const { agent } = this;
    const { copies, objects, log } = agent;
    const { ready, refusals } = agent;
    const silentMs = () => agent.silence.silentMs;
    const sealing = this.sealing();
    objects.keys.use(sealing);
    const lost = (dataset: string) => objects.lostAtHub(dataset);
    const sync = new DatasetSync(bus, { copies, ready, refusals, sealing, lost, silentMs, log });
    sync.start();
    const asked = answerDatasetRequests(bus, {
      copies,
      sealing,
      log,
      acting: () => this.command?.acting === true,
    });
    this.answers.push(
      async () => await asked.drain(),
      async () => await sync.stop(),
    );
  }

  /** What is encrypted of them leaves this node sealed. */
  private sealing(): Sealing {
    const { copies, log, site, places } = this.agent;
    const { datasets: folder, userSeed: seed } = places;
    const { sealingKeys: keys } = this;
    return new Sealing({ folder, seed, keys, site: site.site, store: () => copies.store, log });
  }

  /** What is encrypted of logs, likewise: each kind has a name of its own among those that keys are wrapped for. */
  private logSealing(): Sealing {
    const { entryLogs: logs, log, site, places } = this.agent;
    const { entryLogs: folder, userSeed: seed } = places;
    const { sealingKeys: keys } = this;
    return new Sealing({ folder, seed, keys, site: site.site, store: () => logs.store, log });
  }

  /** The same of logs. */
  private keepLogsInStep(bus: Bus): void {
    const { entryLogs: logs, ready, silence, log } = this.agent;
    const sealing = this.logSealing();
    const sync = new LogsSync(bus, { logs, ready, sealing, silentMs: () => silence.silentMs, log });
    sync.start();
    const asked = answerEntryRequests(bus, { logs, log, acting: () => this.command?.acting === true });
    this.answers.push(
      async () => await asked.drain(),
      async () => await sync.stop(),
    );
  }

  /** Objects of datasets, the same. */
  private carryObjects(bus: Bus): void {
    const { agent } = this;
    const { objects, log } = agent;
    const { site, node } = agent.site;
    const sync = new ObjectSync(bus, { objects, silentMs: () => agent.silence.silentMs, log });
    sync.start();
    const acting = () => this.command?.acting === true;
    const uploads = new Uploads(join(agent.places.objects, 'uploads'));
    const asked = answerObjectRequests(bus, { objects, uploads, site, node, acting, log });
    this.answers.push(
      async () => await asked.drain(),
      async () => await sync.stop(),
    );
  }

  private async bringDown(bus: Bus): Promise<void> {
    const { agent } = this;
    const downlink = new Downlink(bus, {
      account: agent.site.account,
      replicas: serversOf(agent.site).replicas,
      take: async (object, traceparent) => await agent.take(object, traceparent),
      // A digest is tried until all that it brings is kept.
      onLost: () => this.command?.requestDigest(),
      log: agent.log,
    });
    this.downlink = downlink;
    const digest = new DigestExchange(bus, {
      site: agent.site.site,
      subject: SITE.digest,
      store: agent.store,
      lastSequence: () => downlink.lastSequence,
      take: async (object, traceparent) => await agent.take(object, traceparent),
      log: agent.log,
    });
    // The hub answers a digest when its durable for this site is there: a source made before that waits long for it.
    await this.until('downlink', DOWNLINK_RETRY_MS, async () => {
      if (await downlink.exists()) return;
      await digest.exchange();
      await downlink.create();
    });
    await this.until('desired objects', DOWNLINK_RETRY_MS, async () => await downlink.follow());
    this.ends.push(async () => await downlink.close());
    this.command?.requestDigest();
  }

  private asked(subject: string, m: { json(): unknown }, logs: LogRequests): void {
    switch (subject) {
      case SITE.request('digest'):
        return this.command?.acting === true ? this.command.requestDigest() : undefined;
      case SITE.request('logs'):
        return logs.ask(m);
      case SITE.request('logs-more'):
        return logs.more(m);
      case SITE.request('dataset'):
      case SITE.request('object'):
      case SITE.request('log'):
        return undefined;
      default:
        this.agent.log.debug('a request that this agent does not know', { subject });
    }
  }

  private async sweep(tombstones: Tombstones): Promise<void> {
    const { site } = this.agent.site;
    for (const { project, name } of await tombstones.dropOld()) {
      await this.bus?.purge(SITE_STREAMS.DESIRED, desiredSubject(site, project, name)).catch(() => undefined);
    }
  }

  private keep(subscription: Subscription): void {
    this.ends.push(async () => await subscription.drain());
  }

  private async until(what: string, pauseMs: number, task: () => Promise<void>): Promise<void> {
    for (let said = false; !this.closed;) {
      try {
        return await task();
      } catch (error) {
        if (!said) this.agent.log.warn(`waiting for the ${what}`, { reason: reason(error) });
        said = true;
        await new Promise((go) => setTimeout(go, pauseMs).unref());
      }
    }
  }
}

const TOMBSTONE_SWEEP_MS = 60 * 60_000;

async function makeOutbox(bus: Bus, replicas: number): Promise<void> {
  const answer = (
    await bus.request(JETSTREAM_API.streamCreate(SITE_STREAMS.OUT), outboxStream(replicas))
  ).json();
  const made = await bus.streamState(SITE_STREAMS.OUT);
  if (made === undefined) throw new Error(`make the stream ${SITE_STREAMS.OUT}: ${JSON.stringify(answer)}`);
}
