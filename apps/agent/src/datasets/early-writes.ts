import { isDeepStrictEqual } from 'node:util';
import { Refusal, type DatasetRecord, type RecordState } from '@skerry/contracts';
import { mergeStates } from '@skerry/domain';

/** What has not come with its place by then is shown no longer: its site may have lost it, or is cut off. */
const KEPT_MS = 10_000;
/** How long a write here waits for the place of what it is to see. */
const SETTLE_MS = 1_000;
/** Keys that are shown early at once. What is more comes with its place. */
const KEYS = 1_024;

interface Early {
  write: number;
  state: RecordState;
  atMs: number;
}

/**
 * What other sites wrote and the hub has not stored yet, as it was given before. It lies over what a copy holds and is only shown:
 * nothing that is kept, sent or compared is made of it, so that what is lost before the hub has it leaves nothing anywhere.
 */
export class EarlyWrites {
  /** By key and by who wrote it, the newest. */
  private readonly keys = new Map<string, Map<string, Early>>();
  private readonly settling = new Map<string, (() => void)[]>();
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
      const early = this.keys.get(key);
      if (early === undefined || write < (early.get(origin)?.write ?? Number.POSITIVE_INFINITY)) continue;
      early.delete(origin);
      if (early.size === 0) this.end(key);
    }
  }

  /**
   * Resolves when all of a key has come with its place, or is shown no longer. Throws a `Refusal` when that takes more than a second:
   * a write that says that it has seen what nobody else may ever see would wait for that at the hub.
   */
  async settled(key: string): Promise<void> {
    if (!this.keys.has(key)) return;
    const isSettled = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), this.settleMs);
      const done = () => {
        clearTimeout(timer);
        resolve(true);
      };
      this.settling.set(key, [...(this.settling.get(key) ?? []), done]);
    });
    if (isSettled) return;
    throw new Refusal(
      'unavailable',
      `${key} shows what another site has just written and the hub has not stored yet`,
      {
        hint: `write again: it is stored or shown no longer within ${this.keptMs / 1_000} s`,
      },
    );
  }

  close(): void {
    clearTimeout(this.timer);
    for (const key of this.keys.keys()) this.end(key);
  }

  private take(
    { key, origin, write, state }: DatasetRecord,
    held: RecordState | undefined,
    atMs: number,
  ): boolean {
    const early = this.keys.get(key) ?? new Map<string, Early>();
    if (write <= (early.get(origin)?.write ?? 0) || (early.size === 0 && this.keys.size >= KEYS))
      return false;
    if (held !== undefined && says(mergeStates(held, state), held)) return false;
    this.keys.set(key, early.set(origin, { write, state, atMs }));
    return true;
  }

  private expire(): void {
    const before = performance.now() - this.keptMs;
    const old = [...this.keys].filter(([, early]) => [...early.values()].some(({ atMs }) => atMs <= before));
    this.timer = undefined;
    this.giveUp(old.map(([key]) => key));
    if (this.any) this.timer = setTimeout(() => this.expire(), this.keptMs).unref();
  }

  private giveUp(keys: readonly string[]): void {
    for (const key of keys) this.end(key);
    if (keys.length > 0) this.changed(keys);
  }

  private end(key: string): void {
    this.keys.delete(key);
    const waiters = this.settling.get(key) ?? [];
    this.settling.delete(key);
    for (const done of waiters) done();
  }
}

/** Whether two states say the same. */
export function says(one: RecordState | undefined, other: RecordState | undefined): boolean {
  return isDeepStrictEqual(one, other);
}
