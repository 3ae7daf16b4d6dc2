import type { Bus, Subscription } from '@skerry/bus';
import {
  LOCAL,
  nodeBeatSchema,
  parseAcross,
  sitePulseSchema,
  type NodeBeat,
  type SitePulse,
} from '@skerry/contracts';
import { NODE_TIMINGS } from '@skerry/domain';

/** Beats whose sending time is remembered: an answer to an older one says nothing new. */
const REMEMBERED = 64;

/** What is heard of one node. */
export interface HeardNode extends NodeBeat {
  /** Monotonic ms. */
  at: number;
}

export interface BeatsOptions {
  node: string;
  incarnation: string;
  /** Whether a node was removed from the site: what it says does not count. */
  removed: (node: string) => boolean;
  /** What is said of this node. */
  state: () => Pick<NodeBeat, 'reported' | 'seen' | 'applied' | 'held' | 'running' | 'troubles'>;
  /** What this node says as the controller; undefined when it is not. */
  pulse: () => Pick<SitePulse, 'epoch' | 'hubAgoMs' | 'lease' | 'allotted'> | undefined;
  /** The controller has heard what was sent at this moment (monotonic ms), at which the hub had been heard so long ago. */
  onAnswer: (sentAt: number, pulse: SitePulse) => void;
}

/** Twice a second each node of a site says that it is alive, and the controller says whom it heard. All hear all. */
export class Beats {
  private readonly nodes = new Map<string, HeardNode>();
  private readonly sentAt = new Map<number, number>();
  private readonly ends: Subscription[] = [];
  private timer: NodeJS.Timeout | undefined;
  private unlisten: () => void = () => undefined;
  private beat = 0;
  private since = performance.now();
  private saidAt = performance.now();
  private newestPulse: { pulse: SitePulse; at: number } | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly options: BeatsOptions,
  ) {}

  start(): void {
    this.since = performance.now();
    this.unlisten = this.bus.onConnection((connected) => connected && this.reconnected());
    this.ends.push(this.bus.listen(LOCAL.beat, (m) => this.hear(json(m))));
    this.ends.push(this.bus.listen(LOCAL.pulse, (m) => this.hearPulse(json(m))));
    this.timer = setInterval(() => this.say(), NODE_TIMINGS.beatMs).unref();
    this.say();
  }

  stop(): void {
    clearInterval(this.timer);
    this.unlisten();
    for (const end of this.ends.splice(0)) void end.drain();
  }

  /** Silence before this (monotonic ms) says nothing: this agent was not connected, or stood still. */
  get hearingSince(): number {
    return this.since;
  }

  /** What was heard last of each node, this one among them. */
  get heard(): ReadonlyMap<string, HeardNode> {
    return this.nodes;
  }

  /** Names of those that were heard lately. */
  get present(): string[] {
    const since = performance.now() - NODE_TIMINGS.lostAfterMs;
    return [...this.nodes].flatMap(([name, { at }]) => (at > since ? [name] : []));
  }

  /** Who spoke last as the controller, unless it has been silent since. */
  get controller(): string | undefined {
    const last = this.newestPulse;
    const fresh = last !== undefined && performance.now() - last.at < NODE_TIMINGS.lostAfterMs;
    return fresh ? last.pulse.controller : undefined;
  }

  /** Says at once what there is to say; else with the next beat. */
  say(): void {
    const { node, incarnation, state, pulse } = this.options;
    const now = performance.now();
    if (now - this.saidAt > NODE_TIMINGS.tickGapMs) this.deafUntilNow();
    this.saidAt = now;
    this.beat += 1;
    this.sentAt.set(this.beat, performance.now());
    this.sentAt.delete(this.beat - REMEMBERED);
    this.bus.say(LOCAL.beat, { node, incarnation, beat: this.beat, ...state() } satisfies NodeBeat);
    const acting = pulse();
    if (acting === undefined) return;
    const answered = [...this.nodes].filter(([name]) => !this.options.removed(name));
    const heard = Object.fromEntries(answered.map(([name, n]) => [name, `${n.incarnation}.${n.beat}`]));
    this.bus.say(LOCAL.pulse, { controller: node, heard, ...acting } satisfies SitePulse);
  }

  private reconnected(): void {
    this.deafUntilNow();
    // Its server may have lost who controlled last: the next one's epoch is then no higher.
    this.newestPulse = undefined;
  }

  private deafUntilNow(): void {
    this.since = performance.now() + NODE_TIMINGS.regainGraceMs;
  }

  private hear(body: unknown): void {
    const parsed = parseAcross(nodeBeatSchema, body);
    // Of a removed one the last that was answered counts: until its lease is over.
    if (!parsed.ok || this.options.removed(parsed.value.node)) return;
    this.nodes.set(parsed.value.node, { ...parsed.value, at: performance.now() });
  }

  private hearPulse(body: unknown): void {
    const parsed = parseAcross(sitePulseSchema, body);
    if (!parsed.ok) return;
    const pulse = parsed.value;
    // What an earlier controller said may arrive after its successor began.
    if (this.newestPulse !== undefined && pulse.epoch < this.newestPulse.pulse.epoch) return;
    this.newestPulse = { pulse, at: performance.now() };
    const [incarnation, beat] = (pulse.heard[this.options.node] ?? '').split('.');
    const sentAt = this.sentAt.get(Number(beat));
    if (incarnation === this.options.incarnation && sentAt !== undefined)
      this.options.onAnswer(sentAt, pulse);
  }
}

function json(m: { json(): unknown }): unknown {
  try {
    return m.json();
  } catch {
    return undefined;
  }
}
