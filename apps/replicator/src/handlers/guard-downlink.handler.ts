import { Inject, Injectable } from '@nestjs/common';
import type { Following } from '@skerry/bus';
import { parseWorkloadKey, type Desired } from '@skerry/contracts';
import { wentBack } from '@skerry/domain';
import { CONFIG, JsonLog } from '@skerry/service';
import type { ReplicatorConfig } from '../config.js';
import { DeliveredStore } from '../stores/delivered.store.js';
import { DownlinkStore } from '../stores/downlink.store.js';

/** A site that lies about what it got can have DL made anew this often and no more; it costs the others a moment. */
const CLAIM_EVERY_MS = 3_600_000;
/** Sequences that a copy can plausibly be behind. */
const CLAIM_MAX = 10_000_000;

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
  /** When each site was last believed that it got more of `DL` than there is. */
  private readonly claims = new Map<string, number>();

  constructor(
    private readonly delivered: DeliveredStore,
    private readonly downlink: DownlinkStore,
    @Inject(CONFIG) private readonly config: Pick<ReplicatorConfig, 'guardEveryMs'>,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** Resolves when everything that lies in `DL` is known. */
  async start(writers: Pausable): Promise<void> {
    await this.stop();
    const why = await this.whyNot();
    if (why !== undefined) await this.renew(why);
    // What was known when this instance was active before may have been taken out of DL by another one since.
    else this.delivered.clear();
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

  /** A site says that it got this sequence of `DL`. One that says so again within the hour is not believed. */
  reported(site: string, sequence: number): void {
    const { highestSeen } = this.delivered;
    if (sequence <= highestSeen) return;
    const now = performance.now();
    const before = this.claims.get(site);
    if (sequence > highestSeen + CLAIM_MAX || (before !== undefined && now - before < CLAIM_EVERY_MS)) {
      this.log.error(`alarm: site ${site} says that it got ${sequence} of DL, which is not believed`);
      return;
    }
    this.claims.set(site, now);
    this.log.warn(`site ${site} got ${sequence} of DL, but here is only ${highestSeen}`);
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
    for (const object of waiting) await this.downlink.put(object, 0);
    await this.open();
    await writers.resume();
  }

  private async whyNot(): Promise<string | undefined> {
    // Read before the state: a write that ends in between must not look like the past.
    const { highestSeen, wentBackTo } = this.delivered;
    if (wentBackTo !== undefined) return `a message got ${wentBackTo}, which was seen before`;
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
    this.following = await this.downlink.follow((object, sequence) => this.delivered.hear(object, sequence));
    await this.following.caughtUp;
  }

  private async close(): Promise<void> {
    await this.following?.drain();
    this.following = undefined;
  }
}
