import type { Bus } from '@skerry/bus';
import type { ChunkRef, Manifest } from '@skerry/contracts';
import type { Kept } from '../datasets/copies.js';
import { Errands, REFUSED_MS } from '../datasets/errands.js';
import { Repeated } from '../datasets/repeated.js';
import { reason, type Log } from '../log.js';
import { Courier, inWindow, NotNow } from './courier.js';
import type { Objects } from './objects.js';

export interface ObjectLineOptions {
  objects: Objects;
  /** Whether the hub has not been heard for a while: then nothing is tried. */
  silent: () => boolean;
  log: Log;
}

/**
 * One dataset's objects on their way: what is here goes up until the hub has it, what is wanted here comes down. Only chunks that
 * the other side lacks travel, whatever was cut off or killed before.
 */
export class ObjectLine {
  private readonly courier: Courier;
  private readonly errands: Errands;
  /** Keys to look at, on their way up and down; those that somebody reads come first. */
  private readonly up = new Set<string>();
  private readonly down = new Set<string>();
  private readonly read = new Set<string>();
  private readonly asked = new Map<string, ChunkRef>();
  private readonly sending = new Repeated(async () => await this.until(async () => await this.sendNext()));
  private readonly fetching = new Repeated(async () => await this.until(async () => await this.fetchNext()));

  constructor(
    bus: Bus,
    readonly dataset: string,
    private readonly kept: Kept,
    private readonly options: ObjectLineOptions,
  ) {
    this.courier = new Courier(bus, () => kept.copy.rule);
    this.errands = new Errands(options.silent);
  }

  /** Whether this is the line of this copy, and not of one of the same name before. */
  isOf(kept: Kept | undefined): boolean {
    return this.kept.copy === kept?.copy;
  }

  /** These keys hold something else. */
  changed(keys: readonly string[]): void {
    for (const key of keys) {
      this.up.add(key);
      this.down.add(key);
    }
    this.goOn();
  }

  /** Somebody reads this one. */
  want(key: string): void {
    this.read.add(key);
    this.fetching.ask();
  }

  /** The hub was asked for chunks that it has not got. */
  bring(chunks: readonly ChunkRef[]): void {
    for (const chunk of chunks)
      if (this.options.objects.pool.has(chunk.digest)) this.asked.set(chunk.digest, chunk);
    this.sending.ask();
  }

  /** The hub is there again, or may be. */
  goOn(): void {
    this.sending.ask();
    this.fetching.ask();
  }

  /** The hub went away: nothing that was asked of it is waited for. */
  turnBack(): void {
    this.courier.turnBack();
  }

  async stop(): Promise<void> {
    this.errands.stop();
    this.courier.stop();
    await this.sending.settled();
    await this.fetching.settled();
  }

  /** Does one thing after the other until nothing is left; what fails is tried again, later and later. */
  private async until(next: () => Promise<boolean>): Promise<void> {
    await this.errands.each(
      () => true,
      async () => ((await next()) ? 'went' : 'over'),
      (error, pause) => this.pauseAfter(error, pause),
    );
  }

  /** How long to wait after a failure; what people have to know is said. */
  private pauseAfter(error: unknown, pause: number): number {
    const { log } = this.options;
    if (!(error instanceof NotNow)) {
      log.debug('chunks did not travel', { dataset: this.dataset, reason: reason(error) });
      return pause;
    }
    const { code, retryAfterMs } = error.refusal;
    if (code === 'absent') return pause;
    log.warn('the hub carries no chunks now', { dataset: this.dataset, reason: error.message });
    return code === 'refused' ? REFUSED_MS : Math.max(retryAfterMs, pause);
  }

  private async sendNext(): Promise<boolean> {
    const [chunk] = this.asked.values();
    if (chunk !== undefined) {
      await this.send([chunk]);
      this.asked.delete(chunk.digest);
      return true;
    }
    const [key] = this.up;
    if (key === undefined) return false;
    await this.offer(key).catch((error: unknown) => {
      moveToEnd(this.up, key);
      throw error;
    });
    return true;
  }

  /** Brings the hub what it lacks of a key's object, as much as one answer names. */
  private async offer(key: string): Promise<void> {
    const { objects } = this.options;
    const manifest = objects.newest(this.dataset, key);
    const marks = await objects.marksOf(this.dataset);
    const whole =
      manifest !== undefined && !marks.isSent(key, manifest.digest) && (await objects.isWhole(manifest));
    if (!whole || (await this.sendPart(manifest))) {
      if (whole) await marks.setSent(key, manifest.digest);
      // Unless it holds something else by now.
      if (objects.newest(this.dataset, key)?.digest === manifest?.digest) this.up.delete(key);
    }
  }

  /** Sends what the hub lacks of an object, as much as one answer names; true when it lacks nothing. */
  private async sendPart(manifest: Manifest): Promise<boolean> {
    if (manifest.lists.length === 0) return true;
    const { missing, more } = await this.courier.ask(manifest.lists);
    await this.send(missing);
    return missing.length === 0 && !more;
  }

  private async send(chunks: readonly ChunkRef[]): Promise<void> {
    await inWindow(chunks, async (chunk) => {
      const bytes = await this.options.objects.pool.read(chunk.digest);
      if (bytes !== undefined) await this.courier.put(chunk, bytes);
    });
  }

  private async fetchNext(): Promise<boolean> {
    const [reading] = this.read;
    const [next] = this.down;
    const key = reading ?? next;
    if (key === undefined) return false;
    await this.lookAt(key, reading !== undefined).catch((error: unknown) => {
      moveToEnd(this.read, key);
      moveToEnd(this.down, key);
      throw error;
    });
    return true;
  }

  /** Brings a key's object here, when it is to be here and is not. */
  private async lookAt(key: string, isRead: boolean): Promise<void> {
    const { objects } = this.options;
    const manifest = objects.newest(this.dataset, key);
    if (manifest === undefined) {
      await (await objects.marksOf(this.dataset)).forget(key);
      objects.sweep();
    } else if (await objects.isWhole(manifest)) await this.isHere(key, manifest);
    else if (isRead || this.kept.copy.rule.objects?.fetch === 'ahead') await this.fetch(key, manifest);
    if (objects.newest(this.dataset, key)?.digest !== manifest?.digest) return;
    this.read.delete(key);
    this.down.delete(key);
  }

  private async fetch(key: string, manifest: Manifest): Promise<void> {
    const { objects } = this.options;
    const hold = objects.pool.hold();
    try {
      for (const { digest } of manifest.lists) hold.add(digest);
      await this.get(manifest.lists);
      const chunks = await objects.chunks(manifest);
      // Written by nobody who keeps to the rules: there is nothing to wait for.
      if (chunks === undefined) return;
      for (const { digest } of chunks) hold.add(digest);
      await this.get(chunks);
      await objects.pool.settle();
      await (await objects.marksOf(this.dataset)).setSent(key, manifest.digest);
      await this.isHere(key, manifest);
    } finally {
      hold.release();
    }
  }

  private async get(chunks: readonly ChunkRef[]): Promise<void> {
    const { pool } = this.options.objects;
    const missing = new Map(
      chunks.flatMap((chunk) => (pool.has(chunk.digest) ? [] : [[chunk.digest, chunk]])),
    );
    await inWindow([...missing.values()], async (chunk) => {
      await pool.put(chunk.digest, await this.courier.get(chunk));
    });
  }

  /** From now on readers see this one; what it takes the place of may go. */
  private async isHere(key: string, manifest: Manifest): Promise<void> {
    const { objects, log } = this.options;
    const marks = await objects.marksOf(this.dataset);
    const before = marks.whole(key);
    if (before?.digest === manifest.digest) return;
    await marks.setWhole(key, manifest);
    log.info('an object is here', { dataset: this.dataset, key, bytes: manifest.size });
    if (before !== undefined) objects.sweep();
  }
}

/** What fails holds up nothing else. */
function moveToEnd(keys: Set<string>, key: string): void {
  if (keys.delete(key)) keys.add(key);
}
