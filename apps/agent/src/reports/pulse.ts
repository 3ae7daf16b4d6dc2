import type { Bus } from '@skerry/bus';
import { SITE, SITE_STREAMS, type CapacityDigest, type Heartbeat } from '@skerry/contracts';

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
  held: () => number;
  running: () => number;
  /** What a person has to mend. */
  troubles: () => string[];
  /** Whether this agent speaks for its site now. */
  acting: () => boolean;
  /** Pings as often as it can: what runs here lasts only while the hub answers. */
  urgent: () => boolean;
  /** The hub answers what was sent at this moment (monotonic ms). */
  onHub: (sentAt: number) => void;
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
    const heartbeat: Heartbeat = {
      kind: 'Heartbeat',
      site: this.options.site,
      sentAt: new Date().toISOString(),
      agentVersion: this.options.agentVersion,
      incarnation: this.options.incarnation,
      nodes: this.options.nodes(),
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
    const began = performance.now();
    const answered = await this.bus.request(SITE.ping, {}, { timeoutMs: PING_ANSWER_MS }).then(
      () => true,
      () => false,
    );
    if (this.stopped) return;
    if (answered) this.measured(began);
    this.lost = !answered;
    this.pings = setTimeout(
      () => void this.ping(),
      answered && !this.options.urgent() ? PING_EVERY_MS : PING_LOST_MS,
    ).unref();
  }

  private measured(sentAt: number): void {
    const tookMs = performance.now() - sentAt;
    this.rttMs = this.rttMs === undefined ? tookMs : this.rttMs + SMOOTHING * (tookMs - this.rttMs);
    this.options.onHub(sentAt);
    if (this.lost) this.options.onHubBack();
  }
}
