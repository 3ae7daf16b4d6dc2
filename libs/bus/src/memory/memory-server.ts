import { bucketStream, bucketSubject, type BucketDefinition, type StreamDefinition } from '@skerry/contracts';
import type { Headers, Message } from '../bus.js';
import { realClock, type Clock } from '../clock.js';
import { matches } from '../subject.js';
import { plainMessage } from './memory-message.js';
import { MemoryStream, type MemoryStreamConfig } from './memory-stream.js';

/** Someone who hears plain messages. */
export interface Hearer {
  filter: string;
  queue: string | undefined;
  /** Whether it is connected. */
  here: () => boolean;
  hear: (m: Message, reply: Reply | undefined) => void;
}
/** Gives an answer to who asked. */
export type Reply = (body: Uint8Array, headers: Headers) => void;

/** Subjects whose stream is remembered. */
const TAKING_MAX = 10_000;
const MARKER_MS = 1_000;
const BUCKET_DUPLICATES_S = 120;

/**
 * What several memory buses share: the streams and the plain messages of one server. Everything happens in the order of
 * the calls and of the clock, so that a simulation with a clock of its own is repeatable.
 */
export class MemoryServer {
  readonly streams = new Map<string, MemoryStream>();
  private readonly hearers = new Set<Hearer>();
  private readonly creations = new Set<() => void>();
  private turn = 0;
  /** Streams that only say again what they are told; each ends. */
  private readonly relays = new Map<string, () => void>();
  /** Streams by a subject that they took before. */
  private readonly taking = new Map<string, MemoryStream>();

  /** `unsyncedMs`: how much of what was stored last `rewind` can take back; keeping that costs a little. */
  constructor(
    readonly clock: Clock = realClock,
    private readonly options: { unsyncedMs?: number } = {},
  ) {}

  /** As a server that starts again without the last `ms` of what it had said was stored. Disconnect its buses before. */
  rewind(ms: number): void {
    const moment = this.clock.now() - Math.min(ms, this.options.unsyncedMs ?? 0);
    for (const [name, stream] of this.streams) {
      stream.close();
      this.streams.set(name, stream.before(moment));
    }
    for (const tell of this.creations) tell();
  }

  ensureStream(definition: StreamDefinition): void {
    if (definition.saysAgain !== undefined)
      return this.relay(definition.name, definition.subjects, definition.saysAgain);
    this.ensure({
      name: definition.name,
      subjects: [...definition.subjects],
      discard: definition.discard,
      maxBytes: definition.maxBytes,
      maxAgeMs: (definition.maxAgeS ?? 0) * 1_000,
      maxPerSubject: definition.maxMessagesPerSubject ?? 0,
      duplicateWindowMs: definition.duplicateWindowS * 1_000,
      workQueue: definition.retention === 'workqueue',
      markerMs: 0,
      atomic: definition.atomic === true,
    });
  }

  ensureBucket(definition: BucketDefinition): void {
    this.ensure({
      name: bucketStream(definition.name),
      subjects: [bucketSubject(definition.name, '>')],
      discard: definition.discard ?? 'new',
      maxBytes: definition.maxBytes,
      maxAgeMs: (definition.maxAgeS ?? 0) * 1_000,
      maxPerSubject: definition.history ?? 1,
      duplicateWindowMs: BUCKET_DUPLICATES_S * 1_000,
      workQueue: false,
      markerMs: definition.perKeyTtl === true ? MARKER_MS : 0,
      atomic: definition.atomic === true,
    });
  }

  /** Throws away a stream and all in it. Its followers wait for another one of its name. */
  deleteStream(name: string): void {
    this.streams.get(name)?.close();
    this.streams.delete(name);
    for (const tell of this.creations) tell();
  }

  /** Called when a stream comes into being or goes; returns how to stop. */
  onStreams(listener: () => void): () => void {
    this.creations.add(listener);
    return () => this.creations.delete(listener);
  }

  /** The stream that takes a subject. */
  streamOf(subject: string): MemoryStream | undefined {
    const known = this.taking.get(subject);
    if (known !== undefined && this.streams.get(known.config.name) === known && known.takes(subject))
      return known;
    for (const stream of this.streams.values()) {
      if (!stream.takes(subject)) continue;
      if (this.taking.size >= TAKING_MAX) this.taking.clear();
      this.taking.set(subject, stream);
      return stream;
    }
    return undefined;
  }

  hear(hearer: Hearer): () => void {
    this.hearers.add(hearer);
    return () => this.hearers.delete(hearer);
  }

  /** Hands a plain message to all who hear it, and to one of each queue. How many did. */
  say(m: Message, reply?: Reply): number {
    const chosen: Hearer[] = [];
    const queues = new Map<string, Hearer[]>();
    for (const hearer of this.hearers) {
      if (!hearer.here() || !matches(hearer.filter, m.subject)) continue;
      if (hearer.queue === undefined) chosen.push(hearer);
      else queues.set(hearer.queue, [...(queues.get(hearer.queue) ?? []), hearer]);
    }
    for (const members of queues.values()) {
      const member = members[this.turn++ % members.length];
      if (member !== undefined) chosen.push(member);
    }
    for (const hearer of chosen) queueMicrotask(() => hearer.hear(m, reply));
    return chosen.length;
  }

  /** Says again what is said on these subjects. */
  private relay(name: string, subjects: readonly string[], { from, to }: { from: string; to: string }): void {
    this.relays.get(name)?.();
    const wild = from.split('.').flatMap((token, i) => (token === '*' ? [i] : []));
    const hear = (m: Message) => {
      if (!subjects.some((subject) => matches(subject, m.subject))) return;
      const tokens = m.subject.split('.');
      const subject = to.replace(/\$(\d)/g, (_, n: string) => tokens[wild[Number(n) - 1] ?? -1] ?? '');
      this.say(plainMessage(subject, m.data, m.headers));
    };
    this.relays.set(name, this.hear({ filter: from, queue: undefined, here: () => true, hear }));
  }

  private ensure(wanted: MemoryStreamConfig): void {
    const there = this.streams.get(wanted.name);
    if (there === undefined) {
      this.streams.set(wanted.name, new MemoryStream(wanted, this.clock, this.options.unsyncedMs));
      for (const tell of this.creations) tell();
      return;
    }
    const { maxBytes, maxAgeMs, maxPerSubject } = there.config;
    there.config = {
      ...wanted,
      maxBytes: larger(maxBytes, wanted.maxBytes),
      maxAgeMs: larger(maxAgeMs, wanted.maxAgeMs),
      maxPerSubject: larger(maxPerSubject, wanted.maxPerSubject),
    };
  }
}

/** Limits never shrink what is stored; 0 is "no limit". */
function larger(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : Math.max(a, b);
}
