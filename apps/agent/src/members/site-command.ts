import { Unavailable, type Bus, type Lease } from '@skerry/bus';
import {
  BUCKETS,
  CONTROLLER_LEASE,
  JETSTREAM_API,
  SITE_BUCKETS,
  SITE_STREAMS,
  type SitePulse,
} from '@skerry/contracts';
import type { Grant } from '@skerry/domain';
import { answerDigests, localDigestSubject } from '../control/local-digest.js';
import { Controller } from '../control/controller.js';
import { SiteVoice } from '../control/site-voice.js';
import { DigestExchange } from '../desired/digest.js';
import { NODE_RULES } from '../desired/held-object.js';
import type { Tombstones } from '../desired/tombstones.js';
import { reason } from '../log.js';
import type { NodeAgent } from '../node-agent.js';
import { FORWARDER } from '../reports/forwarder.js';
import { Beats } from './beats.js';
import { LoneNode } from './lone-node.js';
import type { Report } from '../replicas/supervisor.js';

/** An allotment of a version that is not here yet waits this long before the controller is asked for it. */
const ASK_AFTER_MS = 300;
const RETRY_MS = 500;
/** After a lease was given back that could not be used. */
const OTHERS_FIRST_MS = 2_000;

export interface CommandOptions {
  agent: NodeAgent;
  bus: Bus;
  tombstones: Tombstones;
  lastSequence: () => number;
}

/**
 * Who speaks and decides for the site. Of a site of one node, its agent, without asking anybody; of one of several, the
 * holder of the lease `controller`.
 */
export class SiteCommand {
  private voice: SiteVoice | undefined;
  private lone: LoneNode | undefined;
  private control: Controller | undefined;
  private beats: Beats | undefined;
  private lease: Lease | undefined;
  private localDigest: DigestExchange | undefined;
  private asking: NodeJS.Timeout | undefined;
  private turning: Promise<void> = Promise.resolve();
  private closed = false;
  private isAside = false;
  private stoodAside: () => void = () => undefined;
  private readonly ends: (() => Promise<void> | void)[] = [];

  constructor(private readonly options: CommandOptions) {}

  /** Begins in the way that the roster says; resolves when that is done. Later second nodes are noticed. */
  async start(): Promise<void> {
    const { agent } = this.options;
    agent.roster.onChange(() => {
      if (this.beats === undefined && agent.roster.several) this.turn();
      this.control?.nodesChanged();
    });
    agent.onTaken((key) => this.taken(key));
    agent.onToldAgain((key) => this.control?.again(key));
    this.turn();
    await this.turning;
  }

  /** Whether this agent speaks for the site now. */
  get acting(): boolean {
    return this.beats === undefined ? this.voice !== undefined : this.control?.acting() === true;
  }

  /** What the site knows of a workload: of a site of one node, what that does. */
  report(key: string): Report | undefined {
    return this.beats === undefined ? this.options.agent.supervisor.report(key) : this.control?.report(key);
  }

  /** Nodes that are lost, as far as this one decides on them. */
  get lostNodes(): string[] {
    return this.acting ? (this.control?.lostNodes ?? []) : [];
  }

  /** Nodes that are there, as far as this one knows. */
  get nodes(): number {
    return Math.max(1, this.beats?.present.length ?? 1);
  }

  /** Called when this node was removed from its site. */
  onAside(listener: () => void): void {
    this.stoodAside = listener;
  }

  /** Name of the node that controls the site, as far as this one knows. */
  get controller(): string | undefined {
    const { node } = this.options.agent.site;
    if (this.beats === undefined) return node;
    return this.acting ? node : this.beats.controller;
  }

  /** Whether everything that this agent has to report of the site is in the outbox. */
  get idle(): boolean {
    return this.control?.idle ?? true;
  }

  /** Compares versions now: with the hub, where this agent speaks for the site, else with who does. */
  requestDigest(): void {
    (this.voice?.digest ?? this.localDigest)?.request();
  }

  /** Ends; gives the lease back, so that another takes over at once. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.asking);
    await this.turning;
    await this.lease?.release();
    this.localDigest?.close();
    this.beats?.stop();
    this.lone?.end();
    await this.voice?.stop();
    for (const end of this.ends) await end();
  }

  private turn(): void {
    this.turning = this.turning.then(async () => await this.begin());
  }

  private async begin(): Promise<void> {
    while (!this.closed) {
      try {
        const { removed, roster } = this.options.agent;
        if (removed) return await this.standAside();
        return roster.several ? await this.beginSeveral() : await this.beginAlone();
      } catch (error) {
        this.options.agent.log.debug('cannot speak for the site yet', { reason: reason(error) });
        await new Promise((go) => setTimeout(go, RETRY_MS).unref());
      }
    }
  }

  private async beginAlone(): Promise<void> {
    if (this.voice !== undefined) return;
    const { agent, bus } = this.options;
    const lone = new LoneNode(bus, agent, () => this.voice !== undefined && this.beats === undefined);
    await lone.publish();
    this.voice = await SiteVoice.start(bus, { ...this.options, summary: lone });
    this.lone = lone;
    lone.look();
  }

  private async beginSeveral(): Promise<void> {
    if (this.beats !== undefined) return;
    const { agent, bus } = this.options;
    // First: a lease that the hub gave it from now on would be one that the site's controller does not know of.
    await this.voice?.stop();
    this.voice = undefined;
    this.lone?.end();
    await bus.ensureBucket(SITE_BUCKETS.seen);
    await bus.ensureBucket(BUCKETS.leases);
    await agent.book.follow(bus);
    agent.firm.use(bus);
    // Anew, to where the controller hears it.
    agent.reporter.use(bus, agent.supervisor.keys());
    this.localDigest = new DigestExchange(bus, {
      site: agent.site.site,
      subject: localDigestSubject(agent.site.node),
      store: agent.store,
      lastSequence: this.options.lastSequence,
      take: async (object, traceparent) => await agent.take(object, traceparent),
      log: agent.log,
    });
    this.beats = this.beatsOf(bus);
    this.beats.start();
    this.lease = bus.lease(CONTROLLER_LEASE, agent.site.node);
    this.compete(bus);
  }

  /** Tries for the site's lease, and controls the site while it is held. */
  private compete(bus: Bus): void {
    this.lease?.run({
      onAcquired: async (epoch) => await this.takeOver(bus, epoch),
      onLost: async () => await this.stepDown(),
    });
  }

  /** This node was removed: it gives the lease back, says nothing and asks nobody. What it is to let go it still hears. */
  private async standAside(): Promise<void> {
    const { agent, bus } = this.options;
    if (this.isAside) return;
    await agent.book.follow(bus);
    this.isAside = true;
    await this.lease?.release();
    this.localDigest?.close();
    this.beats?.stop();
    this.lone?.end();
    await this.voice?.stop();
    this.voice = undefined;
    agent.reporter.close();
    agent.log.warn('this node was removed from its site: it takes no part any more');
    this.stoodAside();
  }

  private beatsOf(bus: Bus): Beats {
    const { agent } = this.options;
    return new Beats(bus, {
      node: agent.site.node,
      incarnation: agent.incarnation,
      removed: (node) => agent.ruleOf(node) === 'removed',
      state: () => ({
        reported: agent.reporter.idle,
        seen: agent.reporter.lastSequence,
        applied: agent.book.applied,
        held: agent.store.size,
        running: agent.runner.running,
        troubles: agent.troubles,
      }),
      pulse: () => {
        const { control, voice } = this;
        if (control?.acting() !== true) return undefined;
        return {
          epoch: control.epoch,
          ...(voice?.hubAgoMs === undefined ? {} : { hubAgoMs: voice.hubAgoMs }),
          ...leaseTold(agent.silence.lease),
          allotted: agent.book.standing,
        };
      },
      onAnswer: (sentAt, { hubAgoMs, lease, allotted = 0 }) => {
        if (this.acting) return;
        // Who is behind may act on what was taken from it, long ago by now.
        const isBehind = agent.book.applied < allotted;
        const grant =
          lease && !isBehind ? { sentAtMs: sentAt - lease.agoMs, losses: lease.losses } : undefined;
        if (hubAgoMs !== undefined) agent.hubAnswered(sentAt - hubAgoMs, grant);
      },
    });
  }

  /**
   * Begins to control the site, by one acquisition of the lease. That may be lost before all has begun, and `onLost` is told at
   * once: what begins after it ends again here, since nobody else knows of it.
   */
  private async takeOver(bus: Bus, epoch: number): Promise<void> {
    const { agent } = this.options;
    const { beats, lease } = this;
    if (beats === undefined || lease === undefined) return;
    const holds = () => lease.epoch === epoch;
    this.localDigest?.pause();
    const begun: { control?: Controller; stale?: true } = {};
    const onStale = () => {
      begun.stale = true;
      void this.overtaken(bus, begun.control);
    };
    const control = await Controller.begin(bus, { agent, beats, holds, onStale });
    begun.control = control;
    if (begun.stale === true || !holds()) {
      await control.stop();
      // Whoever throws here gives the lease back.
      if (begun.stale === true) throw new Unavailable('another controller has taken over');
      return;
    }
    this.control = control;
    // What lies in the hands of a controller that stands still would wait until its time to answer is over.
    await bus.request(JETSTREAM_API.consumerDelete(SITE_STREAMS.OUT, FORWARDER), {}).catch(() => undefined);
    const voice = await SiteVoice.start(bus, { ...this.options, summary: control });
    if (this.control !== control) return await voice.stop();
    this.voice = voice;
    this.ends.push(this.answering(bus));
    voice.digest.request();
    beats.say();
  }

  /** Another has taken over from this controller. Should the lease be held here all the same, it is given back: somebody has to control. */
  private async overtaken(bus: Bus, control: Controller | undefined): Promise<void> {
    if (control === undefined || this.control !== control) return;
    await this.stepDown().catch((error: unknown) =>
      this.options.agent.log.debug('not all of the controller ended well', { reason: reason(error) }),
    );
    await this.lease?.release();
    await new Promise((go) => setTimeout(go, OTHERS_FIRST_MS).unref());
    if (!this.closed && !this.isAside) this.compete(bus);
  }

  private answering(bus: Bus): () => Promise<void> {
    const answers = answerDigests(bus, this.options.agent.store);
    return async () => await answers.drain();
  }

  private async stepDown(): Promise<void> {
    const { control, voice } = this;
    this.control = undefined;
    this.voice = undefined;
    if (control !== undefined) this.options.agent.log.info('controls the site no more');
    await control?.stop();
    await voice?.stop();
    for (const end of this.ends.splice(0)) await end();
  }

  /** What was accepted for the site and is not here is asked for. */
  private taken(key: string): void {
    if (key === NODE_RULES) {
      this.lone?.look();
      if (this.options.agent.removed) this.turn();
    }
    this.control?.touch(key);
    if (this.localDigest === undefined || this.control !== undefined || this.asking !== undefined) return;
    if (!this.options.agent.lacks(key)) return;
    this.asking = setTimeout(() => {
      this.asking = undefined;
      if (this.options.agent.lacks(key)) this.localDigest?.request();
    }, ASK_AFTER_MS).unref();
  }
}

/** The lease as the other nodes get it; rounded up, since older is safer. */
function leaseTold(grant: Grant | undefined): Pick<SitePulse, 'lease'> {
  if (grant === undefined) return {};
  const agoMs = Math.max(0, Math.ceil(performance.now() - grant.sentAtMs));
  return { lease: { agoMs, losses: grant.losses } };
}
