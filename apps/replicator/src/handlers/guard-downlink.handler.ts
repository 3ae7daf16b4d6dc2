import { Inject, Injectable } from '@nestjs/common';
import type { Following } from '@skerry/bus';
import { parseWorkloadKey, type Desired } from '@skerry/contracts';
import { wentBack } from '@skerry/domain';
import { CONFIG, JsonLog } from '@skerry/service';
import type { ReplicatorConfig } from '../config.js';
import { DeliveredStore } from '../stores/delivered.store.js';
import { DownlinkStore } from '../stores/downlink.store.js';

/** What writes into `DL`, so that it can be kept from it while the stream is made anew. */
export interface Pausable {
  pause(): Promise<void>;
  resume(): Promise<void>;
}

/**
 * Keeps `DL` as a stream that sites can trust. When it is gone, or is behind what was seen of it before (restored from
 * an older copy), it is made anew and everything that is wanted is published again.
 */
@Injectable()
export class GuardDownlink {
  private following: Following | undefined;
  private timer: NodeJS.Timeout | undefined;
  private guarding: Promise<void> = Promise.resolve();
  private writers: Pausable | undefined;

  constructor(
    private readonly delivered: DeliveredStore,
    private readonly downlink: DownlinkStore,
    @Inject(CONFIG) private readonly config: ReplicatorConfig,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** Whether this process has never seen anything of `DL`. */
  get knowsNothing(): boolean {
    return this.delivered.highestSeen === 0;
  }

  /** Resolves when everything that lies in `DL` is known. */
  async start(writers: Pausable): Promise<void> {
    const why = await this.whyNot();
    if (why !== undefined) await this.renew(why);
    await this.open();
    this.writers = writers;
    this.timer = setInterval(() => this.look(), this.config.guardEveryMs);
  }

  async stop(): Promise<void> {
    this.writers = undefined;
    clearInterval(this.timer);
    await this.guarding;
    await this.close();
  }

  /** A site says that it got this sequence of `DL`. */
  reported(sequence: number): void {
    if (sequence <= this.delivered.highestSeen) return;
    this.delivered.saw(sequence);
    this.look();
  }

  private look(): void {
    this.guarding = this.guarding
      .then(() => this.guard())
      .catch((error: unknown) => this.log.warn('DL not looked at, trying again', error));
  }

  private async guard(): Promise<void> {
    const { writers } = this;
    if (writers === undefined) return;
    const why = await this.whyNot();
    if (why === undefined) return;
    await writers.pause();
    await this.close();
    const waiting = this.unacknowledged();
    await this.renew(why);
    for (const object of waiting) this.delivered.learn(object, await this.downlink.put(object, 0));
    await this.open();
    await writers.resume();
  }

  private async whyNot(): Promise<string | undefined> {
    // Read before the state: a write that ends in between must not look like the past.
    const highestSeen = this.delivered.highestSeen;
    const lastSequence = (await this.downlink.state())?.lastSequence;
    return wentBack({ lastSequence, highestSeen });
  }

  private async renew(why: string): Promise<void> {
    this.log.error(`alarm: DL is made anew: ${why}`);
    this.delivered.clear();
    await this.downlink.recreate(this.delivered.highestSeen);
  }

  /** Removals would be forgotten with the stream, and the sites would keep what nobody wants. */
  private unacknowledged(): Desired[] {
    const at = new Date().toISOString();
    return this.delivered.tombstones().map(({ key, site, delivered: { version } }) => {
      const { project, name } = parseWorkloadKey(key);
      return { kind: 'Tombstone', site, project, name, version, removedAt: at, requestId: 'republished' };
    });
  }

  private async open(): Promise<void> {
    this.following = await this.downlink.follow((object, sequence) => this.delivered.learn(object, sequence));
    await this.following.caughtUp;
  }

  private async close(): Promise<void> {
    await this.following?.drain();
    this.following = undefined;
  }
}
