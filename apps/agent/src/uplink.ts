import { connectBus, type Bus, type StoredMessage, type Subscription } from '@skerry/bus';
import {
  JETSTREAM_API,
  outboxStream,
  parseAcross,
  observedSchema,
  SITE,
  SITE_STREAMS,
  desiredSubject,
} from '@skerry/contracts';
import { DigestExchange } from './desired/digest.js';
import { Downlink } from './desired/downlink.js';
import { LogRequests } from './logs/log-requests.js';
import { reason } from './log.js';
import type { NodeAgent } from './node-agent.js';
import { capacityOf } from './node-facts.js';
import { startForwarder } from './reports/forwarder.js';
import { messageId } from './reports/message-id.js';
import { nodeReport } from './reports/node-report.js';
import { Pulse } from './reports/pulse.js';
import { Tombstones } from './desired/tombstones.js';
import { AGENT_VERSION } from './version.js';

const SETUP_RETRY_MS = 500;
const DOWNLINK_RETRY_MS = 1_000;

/** Joins an agent to its site's server: brings down what is wanted, carries up what is. Everything is tried until it works. */
export class Uplink {
  private bus: Bus | undefined;
  private readonly ends: (() => Promise<void> | void)[] = [];
  private digest: DigestExchange | undefined;
  private closed = false;
  private readonly ready: Promise<void>;

  constructor(private readonly agent: NodeAgent) {
    this.ready = this.join();
  }

  /** The connection, once there is one. */
  get connection(): Bus | undefined {
    return this.bus;
  }

  /** Ends it; what lies in the outbox is carried up by the next agent. */
  async close(): Promise<void> {
    this.closed = true;
    this.digest?.close();
    for (const end of this.ends.toReversed()) await end();
    await this.bus?.close();
    void this.ready;
  }

  private async join(): Promise<void> {
    const { site, places, log } = this.agent;
    const bus = await connectBus({
      servers: [`${site.server.host}:${site.server.port}`],
      name: `agent ${site.node}`,
      nkeySeedFile: places.agentSeed,
      firstConnectMs: Infinity,
      onAlarm: (alarm) => log.warn('bus', { what: alarm.what, reason: reason(alarm.error) }),
    });
    if (this.closed) return await bus.close();
    this.bus = bus;
    await this.until('outbox', SETUP_RETRY_MS, async () => await makeOutbox(bus));
    await this.until('forwarder', SETUP_RETRY_MS, async () => await this.carryUp(bus));
    this.beat(bus);
    this.answer(bus);
    await this.until('node report', SETUP_RETRY_MS, async () => await this.reportNode(bus));
    await this.bringDown(bus);
  }

  private async carryUp(bus: Bus): Promise<void> {
    const { agent } = this;
    agent.reporter.use(bus, agent.supervisor.keys());
    const tombstones = new Tombstones(agent.store, agent.log);
    const forwarder = await startForwarder(bus, {
      log: agent.log,
      onDelivered: (m) => this.delivered(m, tombstones),
    });
    this.keep(forwarder);
    const sweep = setInterval(() => void this.sweep(tombstones), TOMBSTONE_SWEEP_MS).unref();
    this.ends.push(() => clearInterval(sweep));
  }

  private beat(bus: Bus): void {
    const { agent } = this;
    const pulse = new Pulse(bus, {
      site: agent.site.site,
      agentVersion: AGENT_VERSION,
      incarnation: agent.incarnation,
      capacity: capacityOf(agent.room, agent.driverNames),
      held: () => agent.store.size,
      running: () => agent.runner.running,
      troubles: () => agent.troubles,
      onHub: () => agent.silence.heard(),
      onHubBack: () => this.digest?.request(),
    });
    pulse.start();
    this.ends.push(() => pulse.stop());
  }

  private answer(bus: Bus): void {
    const logs = new LogRequests(bus, this.agent);
    this.keep(bus.listen(SITE.requests, (m) => this.asked(m.subject, m, logs)));
    this.ends.push(() => logs.close());
  }

  private async reportNode(bus: Bus): Promise<void> {
    const { agent } = this;
    const report = nodeReport(agent.site, {
      room: agent.room,
      drivers: agent.driverNames,
      cgroup: agent.cgroups.kind,
      startedAt: agent.startedAt,
    });
    await bus.publish(SITE.outboxNode(agent.site.node), report, { messageId: messageId() });
  }

  private async bringDown(bus: Bus): Promise<void> {
    const { agent } = this;
    const downlink = new Downlink(bus, {
      account: agent.site.account,
      take: async (object, traceparent) => await agent.take(object, traceparent),
      log: agent.log,
    });
    const digest = new DigestExchange(bus, {
      site: agent.site.site,
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
    this.digest = digest;
    digest.request();
    this.ends.push(bus.onConnection((connected) => connected && digest.request()));
  }

  private asked(subject: string, m: { json(): unknown }, logs: LogRequests): void {
    switch (subject) {
      case SITE.request('digest'):
        return this.digest?.request();
      case SITE.request('logs'):
        return logs.ask(m);
      case SITE.request('logs-more'):
        return logs.more(m);
      default:
        this.agent.log.debug('a request that this agent does not know', { subject });
    }
  }

  /** A tombstone whose end the hub has stored need not be kept for ever. */
  private delivered(m: StoredMessage, tombstones: Tombstones): void {
    try {
      const parsed = parseAcross(observedSchema, m.json());
      if (parsed.ok && parsed.value.state === 'absent') tombstones.acknowledged(parsed.value);
    } catch (error) {
      this.agent.log.debug('not a workload report', { subject: m.subject, reason: reason(error) });
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

async function makeOutbox(bus: Bus): Promise<void> {
  const answer = (await bus.request(JETSTREAM_API.streamCreate(SITE_STREAMS.OUT), outboxStream())).json();
  const made = await bus.streamState(SITE_STREAMS.OUT);
  if (made === undefined) throw new Error(`make the stream ${SITE_STREAMS.OUT}: ${JSON.stringify(answer)}`);
}
