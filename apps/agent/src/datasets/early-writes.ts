import { isDeepStrictEqual } from 'node:util';
import { Refusal, type DatasetRecord, type RecordState } from '@skerry/contracts';
import { mergeStates } from '@skerry/domain';

/** What has not come with its place by then is shown no longer: its site may have lost it, or is cut off. */
const KEPT_MS = 10_000;
/** How long a write here waits for the place of what it is to see. */
const SETTLE_MS = 1_000;
/** Keys that are shown early at once, and who wrote each. What is more comes with its place. */
const KEYS = 1_024;
const WRITERS = 16;

interface Early {
  write: number;
  state: RecordState;
  atMs: number;
}

/** Who waits until these writes of a key, by who wrote them, have their place or are shown no longer. */
interface Settling {
  writes: Map<string, number>;
  done: () => void;
}

/**
 * What other sites wrote and the hub has not stored yet, as it was given before. It lies over what a copy holds and is only shown:
 * nothing that is kept, sent or compared is made of it, so that what is lost before the hub has it leaves nothing anywhere.
 */
export class EarlyWrites {
  /** By key and by who wrote it, the newest. */
  private readonly keys = new Map<string, Map<string, Early>>();
  private readonly settling = new Map<string, Set<Settling>>();
  private timer: NodeJS.Timeout | undefined;

  /** `changed` is called with keys that show something else since something was not kept. */
  constructor(
    private readonly changed: (keys: readonly string[]) => void,
    private readonly keptMs = KEPT_MS,
    private readonly settleMs = SETTLE_MS,
  ) {}

  get any(): boolean {
    return this.keys.size > 0;
  }

  has(key: string): boolean {
    return this.keys.has(key);
  }

  /** Keys of which something is shown early. */
  all(): Iterable<string> {
    return this.keys.keys();
  }

  /** Takes what says more than is held; the keys of it. `atMs` by the monotonic clock. */
  came(
    records: readonly DatasetRecord[],
    held: (key: string) => RecordState | undefined,
    atMs: number,
  ): string[] {
    const fresh = records.filter((record) => this.take(record, held(record.key), atMs));
    if (fresh.length > 0) this.timer ??= setTimeout(() => this.expire(), this.keptMs).unref();
    return fresh.map(({ key }) => key);
  }

  /** What a key shows that holds this. */
  over(key: string, held: RecordState | undefined): RecordState | undefined {
    const early = this.keys.get(key);
    if (early === undefined) return held;
    let shown = held;
    for (const { state } of early.values()) shown = shown === undefined ? state : mergeStates(shown, state);
    return shown;
  }

  /** These lie in the hub's stream, and are held. */
  placed(records: readonly DatasetRecord[]): void {
    if (!this.any) return;
    for (const { key, origin, write } of records) {
      this.isOver(key, origin, write);
      if (write >= (this.keys.get(key)?.get(origin)?.write ?? Number.POSITIVE_INFINITY))
        this.end(key, origin);
    }
  }

  /**
   * Resolves when all that came of a key so far has its place, or is shown no longer. Throws a `Refusal` when that takes more than a
   * second: a write that says that it has seen what nobody else may ever see would wait for that at the hub.
   */
  async settled(key: string): Promise<void> {
    const early = this.keys.get(key);
    if (early === undefined) return;
    const waiters = this.settling.get(key) ?? new Set<Settling>();
    this.settling.set(key, waiters);
    const isSettled = await new Promise<boolean>((resolve) => {
      const writes = new Map([...early].map(([origin, { write }]) => [origin, write]));
      const end = (is: boolean) => {
        clearTimeout(timer);
        waiters.delete(waiter);
        resolve(is);
      };
      const waiter = { writes, done: () => end(true) };
      const timer = setTimeout(() => end(false), this.settleMs);
      waiters.add(waiter);
    });
    if (waiters.size === 0 && this.settling.get(key) === waiters) this.settling.delete(key);
    if (isSettled) return;
    throw new Refusal(
      'unavailable',
      `${key} shows what another site has just written and the hub has not stored yet`,
      { hint: `write again: it is stored or shown no longer within ${this.keptMs / 1_000} s` },
    );
  }

  close(): void {
    clearTimeout(this.timer);
    for (const [key, early] of this.keys) for (const origin of early.keys()) this.end(key, origin);
  }

  private take(
    { key, origin, write, state }: DatasetRecord,
    held: RecordState | undefined,
    atMs: number,
  ): boolean {
    const early = this.keys.get(key) ?? new Map<string, Early>();
    const isFull =
      !early.has(origin) && (early.size >= WRITERS || (early.size === 0 && this.keys.size >= KEYS));
    if (isFull || write <= (early.get(origin)?.write ?? 0)) return false;
    if (held !== undefined && says(mergeStates(held, state), held)) return false;
    this.keys.set(key, early.set(origin, { write, state, atMs }));
    return true;
  }

  private expire(): void {
    const before = performance.now() - this.keptMs;
    const changed: string[] = [];
    let oldest = Number.POSITIVE_INFINITY;
    for (const [key, early] of this.keys)
      for (const [origin, { atMs }] of early) {
        if (atMs > before) {
          oldest = Math.min(oldest, atMs);
          continue;
        }
        this.end(key, origin);
        changed.push(key);
      }
    const again = () => setTimeout(() => this.expire(), Math.max(1, oldest - before)).unref();
    this.timer = this.any ? again() : undefined;
    if (changed.length > 0) this.changed(changed);
  }

  /** What is shown early of a key by one that wrote it is so no longer. */
  private end(key: string, origin: string): void {
    const early = this.keys.get(key);
    early?.delete(origin);
    if (early?.size === 0) this.keys.delete(key);
    this.isOver(key, origin, Number.POSITIVE_INFINITY);
  }

  private isOver(key: string, origin: string, upTo: number): void {
    for (const { writes, done } of this.settling.get(key) ?? []) {
      if (upTo >= (writes.get(origin) ?? Number.POSITIVE_INFINITY)) writes.delete(origin);
      if (writes.size === 0) done();
    }
  }
}

/** Whether two states say the same. */
export function says(one: RecordState | undefined, other: RecordState | undefined): boolean {
  return isDeepStrictEqual(one, other);
}
