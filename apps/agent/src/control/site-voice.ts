import type { Bus, StoredMessage } from '@skerry/bus';
import {
  LIMITS,
  observedSchema,
  parseAcross,
  SITE,
  type CapacityDigest,
  type SiteStanding,
} from '@skerry/contracts';
import { DigestExchange } from '../desired/digest.js';
import type { Tombstones } from '../desired/tombstones.js';
import { reason } from '../log.js';
import type { NodeAgent } from '../node-agent.js';
import { startForwarder } from '../reports/forwarder.js';
import { Pulse } from '../reports/pulse.js';
import { AGENT_VERSION } from '../version.js';

/** What is said of the site as a whole. */
export interface SiteSummary {
  /** Whether this agent speaks for the site now. */
  acting: () => boolean;
  capacity: () => CapacityDigest;
  nodes: () => number;
  /** What operators want of all nodes that are there. */
  standing: () => SiteStanding | undefined;
  held: () => number;
  running: () => number;
  troubles: () => string[];
}

export interface VoiceOptions {
  agent: NodeAgent;
  tombstones: Tombstones;
  /** Sequence in the hub's `DL` of the newest that came down. */
  lastSequence: () => number;
  summary: SiteSummary;
}

/**
 * Speaks for the site to the hub: heartbeats, pings, the outbox and the digest exchange. At a site of one node its agent
 * does; at one of several the controller does, for as long as it is that.
 */
export class SiteVoice {
  private readonly ends: (() => Promise<void> | void)[] = [];
  private hubAt: number | undefined;
  private ended = false;

  private constructor(
    readonly digest: DigestExchange,
    private readonly log: NodeAgent['log'],
  ) {}

  /** Begins; rejects when the site's server does not take part, having begun nothing. */
  static async start(bus: Bus, options: VoiceOptions): Promise<SiteVoice> {
    const { agent, tombstones, summary } = options;
    const digest = new DigestExchange(bus, {
      site: agent.site.site,
      subject: SITE.digest,
      store: agent.store,
      lastSequence: options.lastSequence,
      take: async (object, traceparent) => await agent.take(object, traceparent),
      onUnknown: (keys) => agent.unknownAtHub(keys),
      log: agent.log,
    });
    const voice = new SiteVoice(digest, agent.log);
    const forwarder = await startForwarder(bus, {
      log: agent.log,
      onDelivered: (m) => voice.delivered(m, tombstones),
    });
    const pulse = new Pulse(bus, {
      site: agent.site.site,
      agentVersion: AGENT_VERSION,
      incarnation: agent.incarnation,
      acting: () => summary.acting(),
      capacity: () => summary.capacity(),
      nodes: () => summary.nodes(),
      standing: () => summary.standing(),
      held: () => summary.held(),
      running: () => summary.running(),
      troubles: () => troublesOf(digest, summary),
      urgent: () => agent.holdsSingletons,
      onHub: (sentAt, grant) => {
        voice.hubAt = sentAt;
        agent.hubAnswered(sentAt, grant);
      },
      onHubBack: () => digest.request(),
    });
    pulse.start();
    voice.ends.push(
      () => digest.close(),
      () => pulse.stop(),
      async () => await forwarder.drain(),
      bus.onConnection((connected) => connected && digest.request()),
    );
    return voice;
  }

  /** How long ago the ping was sent that the hub answered last. */
  get hubAgoMs(): number | undefined {
    return this.hubAt === undefined ? undefined : Math.max(0, Math.round(performance.now() - this.hubAt));
  }

  async stop(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    for (const end of this.ends) await end();
  }

  /** A tombstone whose end the hub has stored need not be kept for ever. */
  private delivered(m: StoredMessage, tombstones: Tombstones): void {
    try {
      const parsed = parseAcross(observedSchema, m.json());
      if (parsed.ok && parsed.value.state === 'absent') tombstones.acknowledged(parsed.value);
    } catch (error) {
      this.log.debug('not a workload report', { subject: m.subject, reason: reason(error) });
    }
  }
}

function troublesOf({ trouble }: DigestExchange, summary: SiteSummary): string[] {
  const own = trouble === undefined ? [] : [trouble.slice(0, LIMITS.troubleChars)];
  return [...own, ...summary.troubles()].slice(0, LIMITS.troubles);
}
