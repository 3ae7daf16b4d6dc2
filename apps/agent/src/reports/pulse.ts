import type { Bus } from '@skerry/bus';
import {
  parseAcross,
  pingAnswerSchema,
  SITE,
  SITE_STREAMS,
  type CapacityDigest,
  type Heartbeat,
  type SiteStanding,
} from '@skerry/contracts';
import type { Grant } from '@skerry/domain';

const EVERY_MS = 1_000;
/** The hub's round trip is measured this often. */
const PING_EVERY_MS = 5_000;
/** And this often while it does not answer, so that its return is noticed. */
const PING_LOST_MS = 1_000;
const PING_ANSWER_MS = 2_000;
/** Weight of a new measurement in the smoothed round trip. */
const SMOOTHING = 0.2;

export interface PulseOptions {
  site: string;
  agentVersion: string;
  incarnation: string;
  capacity: () => CapacityDigest;
  /** Nodes that are there. */
  nodes: () => number;
  /** What operators want of all of them. */
  standing: () => SiteStanding | undefined;
  held: () => number;
  running: () => number;
  /** What a person has to mend. */
  troubles: () => string[];
  /** Whether this agent speaks for its site now. */
  acting: () => boolean;
  /** Pings as often as it can: what runs here lasts only while the hub answers. */
  urgent: () => boolean;
  /** The hub answers what was sent at this moment (monotonic ms), and gives the site a lease with it, or not. */
  onHub: (sentAt: number, grant: Grant | undefined) => void;
  /** The hub answers again after it did not. */
  onHubBack: () => void;
}

/** Says once a second that the site is alive, and what it could take; measures how far the hub is. */
export class Pulse {
  private beats: NodeJS.Timeout | undefined;
  private pings: NodeJS.Timeout | undefined;
  private lost = false;
  private stopped = false;
  private rttMs: number | undefined;
  private outbox = 0;

  constructor(
    private readonly bus: Bus,
    private readonly options: PulseOptions,
  ) {}

  start(): void {
    this.beats = setInterval(() => this.beat(), EVERY_MS).unref();
    this.beat();
    void this.ping();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.beats);
    clearTimeout(this.pings);
  }

  private beat(): void {
    // A process that stood still finds its timers due before it finds out that another has its place.
    if (!this.options.acting()) return;
    void this.look();
    const troubles = this.options.troubles();
    const standing = this.options.standing();
    const heartbeat: Heartbeat = {
      kind: 'Heartbeat',
      site: this.options.site,
      sentAt: new Date().toISOString(),
      agentVersion: this.options.agentVersion,
      incarnation: this.options.incarnation,
      nodes: this.options.nodes(),
      ...(standing === undefined ? {} : { standing }),
      capacity: this.options.capacity(),
      ...(this.rttMs === undefined ? {} : { hubRttMs: Math.round(this.rttMs * 100) / 100 }),
      outboxMessages: this.outbox,
      held: this.options.held(),
      running: this.options.running(),
      ...(troubles.length === 0 ? {} : { troubles }),
    };
    this.bus.say(SITE.heartbeat, heartbeat);
  }

  /** What is said next time; a server that does not answer is no reason not to beat. */
  private async look(): Promise<void> {
    try {
      this.outbox = (await this.bus.streamState(SITE_STREAMS.OUT))?.messages ?? 0;
    } catch {
      // The last number stays.
    }
  }

  private async ping(): Promise<void> {
    const sentAt = performance.now();
    const answer = await this.bus
      .request(SITE.ping, {}, { timeoutMs: PING_ANSWER_MS })
      .then((message) => parseAcross(pingAnswerSchema, message.json()))
      .catch(() => undefined);
    if (this.stopped) return;
    const answered = answer !== undefined;
    // A hub of before there were leases says nothing of them, and means it.
    const { lease = true, losses = 0 } = answer?.ok === true ? answer.value : { lease: false };
    if (answered) this.heard(sentAt, lease ? { sentAtMs: sentAt, losses } : undefined);
    this.lost = !answered;
    const soon = !answered || !lease || this.options.urgent();
    this.pings = setTimeout(() => void this.ping(), soon ? PING_LOST_MS : PING_EVERY_MS).unref();
  }

  private heard(sentAt: number, grant: Grant | undefined): void {
    // Who gives no leases takes its time to answer.
    if (grant !== undefined) this.measured(performance.now() - sentAt);
    this.options.onHub(sentAt, grant);
    if (this.lost) this.options.onHubBack();
  }

  private measured(tookMs: number): void {
    this.rttMs = this.rttMs === undefined ? tookMs : this.rttMs + SMOOTHING * (tookMs - this.rttMs);
  }
}
