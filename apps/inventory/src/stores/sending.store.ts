import { Injectable } from '@nestjs/common';
import { beginSending, judgeSending, type Sending, type Verdict } from '@skerry/domain';

/** Subjects that one site may have reports on; each is a message that the hub keeps. */
export const MAX_KEYS_PER_SITE = 10_000;

interface Sender {
  sending: Sending;
  keys: Set<string>;
}

/** How much each site sends to this instance, and about how many things. */
@Injectable()
export class SendingStore {
  private readonly senders = new Map<string, Sender>();

  /** Counts one message against the site's quota. `now` is monotonic milliseconds. */
  judge(site: string, bytes: number, now: number): Verdict {
    const sender = this.of(site, now);
    const { sending, verdict } = judgeSending(sender.sending, bytes, now);
    sender.sending = sending;
    return verdict;
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

  forget(site: string): void {
    this.senders.delete(site);
  }

  private of(site: string, now: number): Sender {
    const known = this.senders.get(site);
    if (known !== undefined) return known;
    const sender = { sending: beginSending(now), keys: new Set<string>() };
    this.senders.set(site, sender);
    return sender;
  }
}
