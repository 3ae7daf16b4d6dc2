import { Injectable } from '@nestjs/common';
import { beginSending, INTAKE_QUOTA, judgeSending, type Sending, type Verdict } from '@skerry/domain';

/** Subjects that one site may have reports on; each is a message that the hub keeps. */
export const MAX_KEYS_PER_SITE = 10_000;

interface Sender {
  sending: Sending;
  keys: Set<string>;
  /** Until then nothing is taken: it was found to flood. Monotonic ms. */
  heldUntil: number;
}

/** How much each site sends to this instance, and about how many things. */
@Injectable()
export class SendingStore {
  private readonly senders = new Map<string, Sender>();

  /** Counts one message against the site's quota. `now` is monotonic milliseconds. */
  judge(site: string, bytes: number, now: number): Verdict {
    const sender = this.of(site, now);
    if (now < sender.heldUntil) return { kind: 'wait', retryAfterMs: Math.ceil(sender.heldUntil - now) };
    const { sending, verdict } = judgeSending(sender.sending, bytes, now);
    sender.sending = sending;
    if (verdict.kind === 'cut-off') sender.heldUntil = now + INTAKE_QUOTA.cutOffForMs;
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

  private of(site: string, now: number): Sender {
    const known = this.senders.get(site);
    if (known !== undefined) return known;
    const sender = { sending: beginSending(now), keys: new Set<string>(), heldUntil: 0 };
    this.senders.set(site, sender);
    return sender;
  }
}
