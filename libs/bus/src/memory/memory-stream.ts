import type { Headers, PublishAck, StreamState } from '../bus.js';
import type { Clock } from '../clock.js';
import { Conflict, StorageFull } from '../errors.js';
import { NATS, type Outgoing } from '../outgoing.js';
import { matches } from '../subject.js';
import type { MemoryConsumer } from './memory-consumer.js';

/** A stream's definition, with what buckets need beyond it. 0 is "no limit". */
export interface MemoryStreamConfig {
  name: string;
  subjects: string[];
  discard: 'old' | 'new';
  maxBytes: number;
  maxAgeMs: number;
  maxPerSubject: number;
  duplicateWindowMs: number;
  workQueue: boolean;
  /** Expiry leaves a marker for this long; 0: messages take no time to live. */
  markerMs: number;
  atomic: boolean;
}

/** A message in its stream. */
export interface Lying extends Outgoing {
  sequence: number;
  storedAt: number;
  /** When its own time to live is over, ms since the epoch. */
  expiresAt: number;
  removed: boolean;
}

/** Longest timer of the runtime; what expires later is looked at again then. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** One stream as nats-server keeps it, in memory: the same limits, conditions, duplicates and expiry. */
export class MemoryStream {
  config: MemoryStreamConfig;
  lastSequence = 0;
  /** Durable consumers by name. */
  readonly consumers = new Map<string, MemoryConsumer>();
  private bytes = 0;
  /** Ascending by sequence; removed ones stay until there are more of them than others. */
  private log: Lying[] = [];
  private live = 0;
  private readonly bySubject = new Map<string, Lying[]>();
  private readonly ids = new Map<string, { sequence: number; at: number }>();
  private readonly listeners = new Set<(m: Lying) => void>();
  private stopTimer: (() => void) | undefined;
  /** Of the last `unsyncedMs`: what was removed when, and how far the stream was when. */
  private readonly removals: { m: Lying; at: number }[] = [];
  private readonly marks: { at: number; sequence: number }[] = [];

  /** `unsyncedMs`: how far back `before` can go. */
  constructor(
    config: MemoryStreamConfig,
    private readonly clock: Clock,
    private readonly unsyncedMs = 0,
  ) {
    this.config = config;
  }

  /** The stream as it was at a moment of the last `unsyncedMs`, as a server has it that lost what came later. */
  before(moment: number): MemoryStream {
    const then = new MemoryStream(this.config, this.clock, this.unsyncedMs);
    const back = this.removals.flatMap(({ m, at }) => (at > moment ? [m] : []));
    const lying = [...back, ...this.log.filter((m) => !m.removed)].filter((m) => m.storedAt <= moment);
    for (const m of lying.toSorted((a, b) => a.sequence - b.sequence)) then.enter({ ...m, removed: false });
    for (const [id, known] of this.ids) if (known.at <= moment) then.ids.set(id, known);
    const mark = this.marks.findLast(({ at }) => at <= moment)?.sequence ?? 0;
    const all = this.marks.every(({ at }) => at <= moment);
    then.lastSequence = Math.max(then.lastSequence, all ? this.lastSequence : mark);
    then.schedule();
    return then;
  }

  takes(subject: string): boolean {
    return this.config.subjects.some((filter) => matches(filter, subject));
  }

  /** Called with each message as it is stored; returns how to stop. */
  onStored(listener: (m: Lying) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Stores a message, or tells why not: a duplicate, a `Conflict`, or `StorageFull`. */
  publish(m: Outgoing): PublishAck {
    this.expire();
    this.check(m, undefined);
    const id = m.headers[NATS.messageId];
    const known = id === undefined ? undefined : this.ids.get(id);
    if (known !== undefined) return { stream: this.config.name, sequence: known.sequence, duplicate: true };
    this.makeRoom(m, size(m));
    if (id !== undefined) this.ids.set(id, { sequence: this.lastSequence + 1, at: this.clock.now() });
    return { stream: this.config.name, sequence: this.append(m).sequence, duplicate: false };
  }

  /** Stores all or none. */
  publishAll(messages: readonly Outgoing[]): PublishAck {
    const { name, atomic } = this.config;
    if (!atomic) throw new Error(`stream ${name}: atomic batches are disabled`);
    this.expire();
    const subjects = new Set<string>();
    for (const m of messages) {
      this.check(m, subjects);
      subjects.add(m.subject);
    }
    this.makeRoom(
      { subject: name },
      messages.reduce((sum, m) => sum + size(m), 0),
    );
    for (const m of messages) this.append(m);
    return { stream: name, sequence: this.lastSequence, duplicate: false };
  }

  /** The newest message of a subject. */
  newest(subject: string): Lying | undefined {
    this.expire();
    return this.bySubject.get(subject)?.at(-1);
  }

  at(sequence: number): Lying | undefined {
    this.expire();
    const m = this.log[this.indexOf(sequence)];
    return m?.sequence === sequence && !m.removed ? m : undefined;
  }

  /** The messages from a sequence on, in order. */
  *from(sequence: number): Generator<Lying> {
    this.expire();
    for (let i = this.indexOf(sequence), m = this.log[i]; m !== undefined; m = this.log[++i]) {
      if (!m.removed) yield m;
    }
  }

  /** The newest message of each subject under a filter, in the order they were stored. */
  newestOfEach(wanted: (subject: string) => boolean): Lying[] {
    this.expire();
    const newest = [...this.bySubject].flatMap(([subject, all]) => (wanted(subject) ? all.slice(-1) : []));
    return newest.toSorted((a, b) => a.sequence - b.sequence);
  }

  remove(m: Lying): void {
    if (m.removed) return;
    m.removed = true;
    if (this.unsyncedMs > 0) this.noteRemoval(m);
    this.live--;
    this.bytes -= size(m);
    const all = this.bySubject.get(m.subject);
    all?.splice(all.indexOf(m), 1);
    if (all?.length === 0) this.bySubject.delete(m.subject);
    if (this.log.length > 64 && this.live * 2 < this.log.length) {
      this.log = this.log.filter((other) => !other.removed);
    }
  }

  purge(filter: string, upTo = Infinity): void {
    const isMeant = ({ removed, sequence, subject }: Lying) =>
      !removed && sequence <= upTo && matches(filter, subject);
    for (const m of this.log.filter(isMeant)) this.remove(m);
  }

  state(): StreamState {
    this.expire();
    const first = this.log.find((m) => !m.removed);
    const firstSequence = first?.sequence ?? this.lastSequence + 1;
    return { messages: this.live, bytes: this.bytes, firstSequence, lastSequence: this.lastSequence };
  }

  /** Ends its timer. */
  close(): void {
    this.stopTimer?.();
  }

  private check(m: Outgoing, before: Set<string> | undefined): void {
    const expected = m.headers[NATS.expectedSequence];
    if (expected === undefined) return;
    const subject = m.headers[NATS.expectedSubject] ?? m.subject;
    const last = this.bySubject.get(subject)?.at(-1)?.sequence ?? 0;
    if (before?.has(subject) !== true && last === Number(expected)) return;
    throw new Conflict(`publish to ${m.subject}: wrong last sequence: ${last} (10071)`);
  }

  private makeRoom(m: { subject: string }, bytes: number): void {
    const { maxBytes, discard } = this.config;
    if (maxBytes <= 0) return;
    while (this.bytes + bytes > maxBytes) {
      const first = discard === 'old' ? this.log.find((other) => !other.removed) : undefined;
      if (first === undefined)
        throw new StorageFull(`publish to ${m.subject}: maximum bytes exceeded (10077)`);
      this.remove(first);
    }
  }

  private append(out: Outgoing): Lying {
    const now = this.clock.now();
    const { maxPerSubject, markerMs } = this.config;
    const ttl = out.headers[NATS.ttl];
    if (ttl !== undefined && markerMs === 0)
      throw new Error(`stream ${this.config.name}: no time to live per message`);
    const expiresAt = ttl === undefined ? Infinity : now + Number.parseInt(ttl, 10) * 1_000;
    const m: Lying = { ...out, sequence: this.lastSequence + 1, storedAt: now, expiresAt, removed: false };
    const all = this.bySubject.get(m.subject) ?? [];
    const kept = m.headers[NATS.rollup] === 'sub' ? 0 : maxPerSubject > 0 ? maxPerSubject - 1 : Infinity;
    for (const old of all.slice(0, Math.max(0, all.length - kept))) this.remove(old);
    this.enter(m);
    if (this.unsyncedMs > 0) this.noteMark(now);
    if (ttl !== undefined) this.schedule();
    for (const listener of this.listeners) listener(m);
    return m;
  }

  private enter(m: Lying): void {
    const all = this.bySubject.get(m.subject) ?? [];
    all.push(m);
    this.bySubject.set(m.subject, all);
    this.log.push(m);
    this.lastSequence = m.sequence;
    this.live++;
    this.bytes += size(m);
  }

  private noteRemoval(m: Lying): void {
    const now = this.clock.now();
    this.removals.push({ m, at: now });
    while ((this.removals[0]?.at ?? now) < now - this.unsyncedMs) this.removals.shift();
  }

  /** The newest mark that is older stays: it says how far the stream was then. */
  private noteMark(now: number): void {
    this.marks.push({ at: now, sequence: this.lastSequence });
    while ((this.marks[1]?.at ?? now) < now - this.unsyncedMs) this.marks.shift();
  }

  /** Removes what is too old; a message with a time to live of its own leaves a marker, so that followers see it go. */
  private expire(): void {
    const now = this.clock.now();
    const { maxAgeMs, duplicateWindowMs, markerMs } = this.config;
    for (const [id, { at }] of this.ids) {
      if (at + duplicateWindowMs > now) break;
      this.ids.delete(id);
    }
    const overdue: Lying[] = [];
    for (const m of maxAgeMs > 0 || markerMs > 0 ? this.log : []) {
      if (m.removed) continue;
      const old = maxAgeMs > 0 && m.storedAt + maxAgeMs <= now;
      if (old || m.expiresAt <= now) overdue.push(m);
      // They lie in the order of their age, but not of their times to live.
      else if (markerMs === 0) break;
    }
    for (const m of overdue) {
      this.remove(m);
      const last = !this.bySubject.has(m.subject);
      if (last && m.expiresAt <= now && m.headers[NATS.markerReason] === undefined)
        this.mark(m.subject, markerMs);
    }
  }

  private mark(subject: string, markerMs: number): void {
    const headers: Headers = { [NATS.markerReason]: 'MaxAge', [NATS.ttl]: `${markerMs / 1_000}s` };
    this.append({ subject, bytes: new Uint8Array(0), headers });
  }

  private schedule(): void {
    this.stopTimer?.();
    const next = this.log.reduce((at, m) => (m.removed ? at : Math.min(at, m.expiresAt)), Infinity);
    this.stopTimer = undefined;
    if (next === Infinity) return;
    this.stopTimer = this.clock.after(Math.min(TIMER_MAX_MS, Math.max(0, next - this.clock.now())), () => {
      this.expire();
      this.schedule();
    });
  }

  /** Where the first message at or behind a sequence lies in the log. */
  private indexOf(sequence: number): number {
    let low = 0;
    let high = this.log.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.log[middle]?.sequence ?? Infinity) < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Roughly what a message takes on a server's disk. */
function size({ subject, bytes, headers }: Outgoing): number {
  let sum = subject.length + bytes.length + 22;
  for (const name in headers) sum += name.length + (headers[name]?.length ?? 0) + 4;
  return sum;
}
