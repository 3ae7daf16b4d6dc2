import type { Random } from './random.js';
import type { SimProcess } from './sim-process.js';
import type { Timeline } from './timeline.js';

/** How a connection behaves when nothing is broken. */
export interface LinkOptions {
  /** One way, ms. */
  delayMs: number;
  /** Up to this much more. */
  jitterMs: number;
  /** Share of the messages that may be lost, come twice or overtake others, where the one who sends allows it. */
  loss?: number;
  duplicates?: number;
  reorder?: number;
}

/** A silent connection is noticed after this long (nats.js and nats-server: 10 to 15 s). */
const NOTICED_MS = [10_000, 15_000] as const;
/** Between two tries to connect. */
const RECONNECT_MS = [500, 1_000] as const;

/** Which way something goes: up is from the client to the server, or from the site to the hub. */
export type Way = 'up' | 'down';

interface Direction {
  to: SimProcess;
  lastAt: number;
  stalled: boolean;
  waiting: (() => void)[];
}

/**
 * A connection over TCP. What is sent arrives in order or not at all. A stall lets packets vanish: what was sent waits to be
 * sent again, and when that takes too long both ends give the connection up. A cut is seen by both ends at once.
 */
export class Link {
  private isOpen = false;
  private epoch = 0;
  private wanted = true;
  private readonly up: Direction;
  private readonly down: Direction;
  private readonly listeners = new Set<(open: boolean) => void>();
  private noticing: (() => void) | undefined;
  private opening: (() => void) | undefined;

  constructor(
    readonly name: string,
    readonly client: SimProcess,
    readonly server: { process: SimProcess; readonly up: boolean },
    private readonly random: Random,
    private options: LinkOptions,
  ) {
    this.up = { to: server.process, lastAt: 0, stalled: false, waiting: [] };
    this.down = { to: client, lastAt: 0, stalled: false, waiting: [] };
    client.onKilled(() => this.end());
    this.open();
  }

  get connected(): boolean {
    return this.isOpen;
  }

  /** Whether what the server says arrives: packets may vanish on the way before anybody notices. */
  get hears(): boolean {
    return this.isOpen && !this.down.stalled;
  }

  /** Rises with each connection. */
  get incarnation(): number {
    return this.epoch;
  }

  onState(listener: (open: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Sends something that arrives in order, unless the connection breaks. */
  send(way: Way, arrive: () => void): void {
    if (!this.isOpen) return;
    this.dispatch(this.direction(way), arrive);
  }

  /** Sends a plain message, to which worse may happen than TCP allows. */
  sendLoosely(way: Way, arrive: () => void): void {
    if (!this.isOpen) return;
    const { loss = 0, duplicates = 0, reorder = 0 } = this.options;
    if (this.random.chance(loss)) return;
    if (this.random.chance(reorder)) this.overtake(way, arrive);
    else this.send(way, arrive);
    if (this.random.chance(duplicates)) this.overtake(way, arrive);
  }

  /** Lets packets vanish, one way or both ways. */
  stall(...ways: Way[]): void {
    for (const way of ways) this.direction(way).stalled = true;
    const [least, most] = NOTICED_MS;
    this.noticing ??= this.timeline.after(this.random.between(least, most), this.timeline.world, () => {
      this.noticing = undefined;
      this.close();
    });
  }

  /** Breaks the connection so that both ends see it, and keeps it from coming back until `heal`. */
  cut(): void {
    this.wanted = false;
    this.close();
  }

  heal(): void {
    this.wanted = true;
    this.noticing?.();
    this.noticing = undefined;
    for (const direction of [this.up, this.down]) {
      direction.stalled = false;
      for (const arrive of direction.waiting.splice(0)) this.dispatch(direction, arrive);
    }
    this.open();
  }

  /** From now on nothing is lost, doubled or out of order. */
  calm(): void {
    const { delayMs, jitterMs } = this.options;
    this.options = { delayMs, jitterMs };
  }

  /** Breaks the connection; both ends connect again when they can. */
  reset(): void {
    this.close();
    this.open();
  }

  /** For ever. */
  end(): void {
    this.wanted = false;
    this.close();
    this.listeners.clear();
  }

  private get timeline(): Timeline {
    return this.client.timeline;
  }

  private direction(way: Way): Direction {
    return way === 'up' ? this.up : this.down;
  }

  private dispatch(direction: Direction, arrive: () => void): void {
    if (direction.stalled) {
      direction.waiting.push(arrive);
      return;
    }
    const { epoch } = this;
    const at = Math.max(direction.lastAt, this.timeline.now + this.delay());
    direction.lastAt = at;
    this.timeline.at(at, direction.to, () => {
      if (epoch === this.epoch) arrive();
    });
  }

  private overtake(way: Way, arrive: () => void): void {
    const direction = this.direction(way);
    if (direction.stalled) return;
    const { epoch } = this;
    this.timeline.after(
      this.delay() + this.random.between(0, 10 * this.options.jitterMs),
      direction.to,
      () => {
        if (epoch === this.epoch) arrive();
      },
    );
  }

  private delay(): number {
    return this.options.delayMs + this.random.next() * this.options.jitterMs;
  }

  private close(): void {
    this.opening?.();
    this.opening = undefined;
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.epoch++;
    for (const direction of [this.up, this.down]) {
      direction.waiting.length = 0;
      direction.lastAt = 0;
    }
    if (wasOpen) this.tell();
    if (this.wanted) this.open();
  }

  private open(): void {
    if (this.isOpen || this.opening !== undefined || !this.wanted || !this.client.alive) return;
    const [least, most] = RECONNECT_MS;
    const pause = this.epoch === 0 ? this.delay() : this.random.between(least, most);
    this.opening = this.timeline.after(pause, this.timeline.world, () => {
      this.opening = undefined;
      const reachable = this.server.up && !this.up.stalled && !this.down.stalled;
      if (!reachable || this.client.stopped) return this.open();
      this.isOpen = true;
      this.epoch++;
      this.tell();
    });
  }

  /** Each end hears of it in its own time and process. */
  private tell(): void {
    const { isOpen } = this;
    for (const listener of this.listeners) listener(isOpen);
  }
}
