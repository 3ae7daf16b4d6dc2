import { randomUUID } from 'node:crypto';
import type { Bucket, Lease } from './bus.js';
import { pause } from './clock.js';
import { Conflict, TimedOut, Unavailable } from './errors.js';
import type { Store } from './store.js';

/** What a lease's key holds; `token` is the process's own, so that two with one name are told apart. */
export interface Held {
  holder: string;
  token: string;
}
/** Shortest and default life of a lease without renewal, ms. */
export const LEASE_MIN_MS = 2_000;
/** The server counts from when it stored the renewal, this process from before it was sent; this covers clocks that run at other rates. */
const MARGIN = 1 / 8;
const RENEWALS_PER_LIFE = 3;
const NAME = /^[-a-z0-9_.]{1,63}$/;

type Callbacks = Parameters<Lease['run']>[0];
interface Holding {
  epoch: number;
  revision: number;
  /** Monotonic ms after which this process no longer counts itself the holder. */
  until: number;
}

/**
 * A lease as a key with a time to live: whoever creates the key holds it, its first revision is the epoch, and renewals
 * are conditional on the last one. They carry the time to live again, without which the server would keep the key for ever.
 */
export class StreamLease implements Lease {
  private holding: Holding | undefined;
  private stopped: AbortController | undefined;
  private ended: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;
  private readonly token: string = randomUUID();
  private readonly ttlMs: number;

  constructor(
    private readonly store: Store,
    private readonly bucket: Bucket<Held>,
    private readonly name: string,
    private readonly holder: string,
    options: { ttlMs?: number } = {},
  ) {
    this.ttlMs = options.ttlMs ?? LEASE_MIN_MS;
    if (!NAME.test(name))
      throw new Error(`lease ${JSON.stringify(name)}: wanted are 1 to 63 of a-z 0-9 "-_."`);
    if (this.ttlMs < LEASE_MIN_MS || this.ttlMs % 1_000 !== 0) {
      throw new Error(`lease ${name}: ttlMs ${this.ttlMs}: whole seconds, at least ${LEASE_MIN_MS}`);
    }
  }

  get epoch(): number | undefined {
    return this.leftMs > 0 ? this.holding?.epoch : undefined;
  }

  run(callbacks: Callbacks): void {
    if (this.stopped !== undefined) throw new Error(`lease ${this.name}: runs already`);
    this.stopped = new AbortController();
    this.ended = this.cycle(callbacks, this.stopped.signal);
  }

  async release(): Promise<void> {
    if (this.stopped === undefined) return;
    this.stopped.abort();
    this.wake();
    await this.ended;
    this.stopped = undefined;
  }

  private get leftMs(): number {
    return this.holding === undefined ? 0 : this.holding.until - this.store.clock.monotonic();
  }

  private async cycle(callbacks: Callbacks, signal: AbortSignal): Promise<void> {
    const watching = this.watch();
    while (!signal.aborted) {
      await this.guarded('acquire', () => this.acquire());
      if (this.epoch === undefined) await this.wait(this.ttlMs / RENEWALS_PER_LIFE, signal);
      else await this.hold(callbacks, signal);
    }
    // Not waited for: it may still be looking for its stream.
    void watching.then((following) => following?.drain());
  }

  private async hold(callbacks: Callbacks, signal: AbortSignal): Promise<void> {
    const { holding } = this;
    if (holding === undefined) return;
    if (signal.aborted) {
      // Got while it was being given up: nobody was told, so nobody has to stop.
      this.holding = undefined;
      await this.guarded('give back', () => this.giveBack(holding));
      return;
    }
    const given = new AbortController();
    const giveUp = () => given.abort();
    signal.addEventListener('abort', giveUp);
    const acquired = this.guarded('onAcquired', () => callbacks.onAcquired(holding.epoch)).then((ok) => {
      // Who could not begin must not keep others from trying.
      if (!ok) this.letGo(giveUp);
    });
    await this.keep(holding, given.signal);
    signal.removeEventListener('abort', giveUp);
    // A renewal that is answered late must not bring it back to life.
    this.holding = undefined;
    await this.guarded('onLost', () => callbacks.onLost());
    await acquired;
    // Only when this holder has stopped acting may another begin.
    if (given.signal.aborted) await this.guarded('give back', () => this.giveBack(holding));
    // The others first, when it was given back because it could not be used.
    if (given.signal.aborted && !signal.aborted) await pause(this.store.clock, this.ttlMs, signal);
  }

  private letGo(giveUp: () => void): void {
    giveUp();
    this.wake();
  }

  /** Renews until the lease is lost or is to be given back. */
  private async keep(holding: Holding, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.leftMs > 0) {
      await this.wait(Math.min(this.ttlMs / RENEWALS_PER_LIFE, this.leftMs), signal);
      if (signal.aborted || this.leftMs <= 0) return;
      // A renewal that hangs must not keep the holder from seeing that its time is over.
      const over = new AbortController();
      await Promise.race([
        this.guarded('renew', () => this.renew(holding)),
        pause(this.store.clock, this.leftMs, over.signal),
      ]);
      over.abort();
    }
  }

  private async acquire(): Promise<void> {
    const sentAt = this.store.clock.monotonic();
    try {
      const revision = await this.write(0);
      this.holding = { epoch: revision, revision, until: this.untilAfter(sentAt) };
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
  }

  private async renew(holding: Holding): Promise<void> {
    const sentAt = this.store.clock.monotonic();
    try {
      holding.revision = await this.write(holding.revision);
      holding.until = this.untilAfter(sentAt);
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
      const entry = await this.bucket.get(this.name);
      // A renewal may have been stored though its answer got lost: then the key is still this process's.
      if (entry?.value.token === this.token) holding.revision = entry.revision;
      else holding.until = sentAt;
    }
  }

  private async giveBack(holding: Holding): Promise<void> {
    if (holding.until <= this.store.clock.monotonic()) return;
    try {
      await this.bucket.delete(this.name, holding.revision);
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
  }

  private write(revision: number): Promise<number> {
    const value = { holder: this.holder, token: this.token };
    return this.bucket.put(this.name, value, revision, { ttlMs: this.ttlMs });
  }

  private untilAfter(sentAt: number): number {
    return sentAt + this.ttlMs * (1 - MARGIN);
  }

  /** Hears that the key is gone, so that a takeover need not wait for the next look. */
  private async watch() {
    const onGone = { keys: [this.name] };
    try {
      return await this.bucket.follow((change) => {
        if (change.kind === 'gone' && this.holding === undefined) this.wake();
      }, onGone);
    } catch {
      // The next look will find it.
      return undefined;
    }
  }

  private async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const woken = new AbortController();
    this.wake = () => woken.abort();
    await pause(this.store.clock, ms, woken.signal);
  }

  /** Whether it went well. */
  private async guarded(what: string, act: () => void | Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      // A server that is away is told by `onLost`, not by an alarm at every look.
      const away = error instanceof Unavailable || error instanceof TimedOut;
      if (!away) this.store.onAlarm({ what: `lease ${this.name}: ${what}`, error });
      return false;
    }
  }
}

/** What a lease's key holds; throws for anything else. */
export function parseHeld(value: unknown): Held {
  if (typeof value === 'object' && value !== null && 'holder' in value && 'token' in value) {
    const { holder, token } = value;
    if (typeof holder === 'string' && typeof token === 'string') return { holder, token };
  }
  throw new Error('not the holder of a lease');
}
