import type { ConflictRule, OwnRecord, RecordState, Stamp } from '@skerry/contracts';
import { laterStamp, nextStamp } from './clock.js';
import { StateDigest } from './digest.js';
import type { Seen, Shown, Write } from './rule.js';
import { knownContext, mergeStates, ownState, showState, stampOf, writeState } from './states.js';

/** A store as an agent has one, in memory: what is written here, what came from others, and what it has to tell. */
export class StoreUnderTest {
  readonly states = new Map<string, RecordState>();
  readonly digest = new StateDigest();
  readonly own = new Map<string, number>();
  private writes = 0;
  private clock: Stamp = [0, 0];

  constructor(
    readonly origin: string,
    private readonly rule: ConflictRule,
    /** What its wall clock is wrong by, ms. */
    readonly skewMs = 0,
  ) {}

  write(key: string, write: Write, nowMs: number): void {
    const before = this.states.get(key);
    const context = 'context' in write ? write.context : undefined;
    const known = context === undefined ? write : { ...write, context: knownContext(before, context) };
    this.clock = nextStamp(this.clock, nowMs + this.skewMs);
    const author = { origin: this.origin, write: this.writes + 1, at: this.clock, epoch: 1 };
    const written = writeState(this.rule, before, known, author);
    if (!written.ok) throw new Error(written.problem);
    this.writes += 1;
    this.own.set(key, this.writes);
    this.keep(key, before, written.state);
  }

  take({ key, state }: OwnRecord): void {
    const before = this.states.get(key);
    const at = stampOf(state);
    if (at !== undefined) this.clock = laterStamp(this.clock, at);
    this.keep(key, before, before === undefined ? state : mergeStates(before, state));
  }

  /** Its newest word on each key that it wrote. */
  records(): OwnRecord[] {
    return [...this.own].flatMap(([key, write]) => {
      const state = this.states.get(key);
      const mine = state && ownState(state, this.origin);
      return mine === undefined ? [] : [{ key, write, state: mine }];
    });
  }

  show(key: string): Shown | undefined {
    const state = this.states.get(key);
    return state && showState(state, { nowMs: 0 });
  }

  context(key: string): Seen | undefined {
    return this.show(key)?.context;
  }

  private keep(key: string, before: RecordState | undefined, after: RecordState): void {
    this.digest.change(key, before, after);
    this.states.set(key, after);
  }
}

/** Gives every store all that the others have to tell. */
export function meet(stores: readonly StoreUnderTest[]): void {
  const all = stores.map((store) => store.records());
  for (const [at, records] of all.entries())
    for (const [to, store] of stores.entries())
      if (to !== at) for (const record of records) store.take(record);
}
