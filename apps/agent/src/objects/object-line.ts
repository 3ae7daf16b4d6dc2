import type { Bus } from '@skerry/bus';
import { LIMITS, type ChunkRef, type Manifest } from '@skerry/contracts';
import type { Kept } from '../datasets/copies.js';
import { Errands, REFUSED_MS } from '../datasets/errands.js';
import { Repeated } from '../datasets/repeated.js';
import { reason, type Log } from '../log.js';
import { Courier, inWindow, NotNow } from './courier.js';
import type { Objects } from './objects.js';

/** The hub is asked so seldom what it has lost. */
const AGAIN_MS = 30_000;

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
  /** Keys of which the hub had everything once, and may have lost something. */
  private readonly again = new Set<string>();
  /** When the last such look began (monotonic ms). */
  private looked = -Infinity;
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

  /**
   * The hub was asked for chunks that it has not got. Where it lost one that is here, it is asked once what it lacks of the objects
   * that are here; it is brought nothing but what those name, since the same bytes may be here of a dataset that has another rule.
   */
  bring(chunks: readonly ChunkRef[]): void {
    const { objects } = this.options;
    const now = performance.now();
    const isDue = this.again.size === 0 && now - this.looked > AGAIN_MS;
    if (isDue && chunks.some(({ digest }) => objects.pool.has(digest))) this.lost();
  }

  /** The hub may have lost what it had of these objects: it is asked once. */
  lost(): void {
    this.looked = performance.now();
    for (const key of this.options.objects.keysOf(this.dataset)) this.again.add(key);
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
    const [key] = this.up;
    if (key === undefined) return await this.offerAgain();
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
    if (!whole || (await this.sendPart(manifest.lists))) {
      if (whole) await marks.setSent(key, manifest.digest);
      // Unless it holds something else by now.
      if (objects.newest(this.dataset, key)?.digest === manifest?.digest) this.up.delete(key);
    }
  }

  /** Brings what the hub has lost of some objects; false when there are none to look at any more. */
  private async offerAgain(): Promise<boolean> {
    const [keys, lists] = await this.nextAgain();
    if (keys.length === 0) return false;
    if (await this.sendPart(lists)) for (const key of keys) this.again.delete(key);
    return true;
  }

  /** The next keys whose lists go into one question. What is not here whole is not for this node to bring. */
  private async nextAgain(): Promise<[string[], ChunkRef[]]> {
    const { objects } = this.options;
    const [keys, lists]: [string[], ChunkRef[]] = [[], []];
    for (const key of this.again) {
      const manifest = objects.newest(this.dataset, key);
      if (manifest === undefined || !(await objects.isWhole(manifest))) {
        this.again.delete(key);
        continue;
      }
      if (lists.length + manifest.lists.length > LIMITS.listsPerObject) break;
      keys.push(key);
      lists.push(...manifest.lists);
    }
    return [keys, lists];
  }

  /** Sends what the hub lacks of these lists and of what they name, as much as one answer names; true when it lacks nothing. */
  private async sendPart(lists: readonly ChunkRef[]): Promise<boolean> {
    if (lists.length === 0) return true;
    const { missing, more } = await this.courier.ask(lists);
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
