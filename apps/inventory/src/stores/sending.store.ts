import { Inject, Injectable } from '@nestjs/common';
import {
  beginSending,
  INTAKE_QUOTA,
  judgeSending,
  type IntakeQuota,
  type Sending,
  type Verdict,
} from '@skerry/domain';
import { CONFIG } from '@skerry/service';
import type { InventoryConfig } from '../config.js';

/** Subjects that one site may have reports on beside those of what is placed there; each is a message that the hub keeps. */
export const MAX_KEYS_PER_SITE = 10_000;

interface Sender {
  sending: Sending;
  keys: Set<string>;
  /** Reports taken and not yet stored. */
  underWay: number;
}

/** How much each site sends to this instance, and about how many things. */
@Injectable()
export class SendingStore {
  readonly quota: IntakeQuota;
  private readonly senders = new Map<string, Sender>();

  constructor(@Inject(CONFIG) config: Pick<InventoryConfig, 'cutOffMs'>) {
    this.quota = { ...INTAKE_QUOTA, cutOffForMs: config.cutOffMs };
  }

  /** Counts one message against the site's quota. `now` is monotonic milliseconds. */
  judge(site: string, bytes: number, now: number): Verdict {
    const sender = this.of(site, now);
    const message = { bytes, underWay: sender.underWay, now };
    const { sending, verdict } = judgeSending(sender.sending, message, this.quota);
    sender.sending = sending;
    return verdict;
  }

  /** Does a site's work, which counts as under way until it has ended. */
  async within<T>(site: string, now: number, work: () => Promise<T>): Promise<T> {
    const sender = this.of(site, now);
    sender.underWay += 1;
    try {
      return await work();
    } finally {
      sender.underWay -= 1;
    }
  }

  /** Takes room for one more subject of the site; false when it has as many as it may. */
  admits(site: string, key: string, now: number): boolean {
    const { keys } = this.of(site, now);
    if (keys.has(key)) return true;
    if (keys.size >= MAX_KEYS_PER_SITE) return false;
    keys.add(key);
    return true;
  }

  release(site: string, key: string): void {
    this.senders.get(site)?.keys.delete(key);
  }

  private of(site: string, now: number): Sender {
    const known = this.senders.get(site);
    if (known !== undefined) return known;
    const sender = { sending: beginSending(now, this.quota), keys: new Set<string>(), underWay: 0 };
    this.senders.set(site, sender);
    return sender;
  }
}
