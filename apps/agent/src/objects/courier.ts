import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@skerry/bus';
import {
  chunkAnswerSchema,
  chunkAskAnswerSchema,
  frame,
  readFrame,
  SITE,
  type ChunkRef,
  type ChunkRefusal,
  type Copy as CopyRule,
} from '@skerry/contracts';
import { nextWindow, permit, type Bucketful } from '@skerry/domain';
import { answerIn } from '../datasets/ask-hub.js';
import { digestOf } from './chunk-pool.js';

/** A chunk on a slow link takes its time; that the hub is gone is noticed otherwise. */
const ANSWER_MS = 60_000;
const LOOK_MS = 1_000;

/** The hub does not take or give something now. */
export class NotNow extends Error {
  constructor(readonly refusal: ChunkRefusal) {
    super(refusal.reason);
    this.name = 'NotNow';
  }
}

/** Carries chunks of one dataset between this node and the hub, each way within the bandwidth of its rule. */
export class Courier {
  private readonly up = new Pace();
  private readonly down = new Pace();
  private trip = new AbortController();
  private ended = false;

  constructor(
    private readonly bus: Bus,
    private readonly rule: () => CopyRule,
  ) {}

  /** What was asked of a hub that went away is not waited for. */
  turnBack(): void {
    this.trip.abort();
    if (!this.ended) this.trip = new AbortController();
  }

  /** Nothing travels any more. */
  stop(): void {
    this.ended = true;
    this.trip.abort();
  }

  /** Which chunks of these lists, and of what they name, the hub lacks. Throws `NotNow`. */
  async ask(lists: readonly ChunkRef[]): Promise<{ missing: ChunkRef[]; more: boolean }> {
    const said = await this.request(SITE.chunkAsk, { ...this.ref(), lists });
    const answer = answerIn(chunkAskAnswerSchema, said.json());
    if (!answer.ok) throw new NotNow(answer);
    return answer;
  }

  /** Brings a chunk to the hub. Throws `NotNow`. */
  async put({ digest }: ChunkRef, bytes: Uint8Array): Promise<void> {
    await this.up.pass(this.rule, bytes.length, this.trip.signal);
    const sealed = this.rule().encryption === undefined ? {} : { sealed: true };
    const said = await this.request(SITE.chunkPut, frame({ ...this.ref(), digest, ...sealed }, bytes));
    const answer = answerIn(chunkAnswerSchema, said.json());
    if (!answer.ok) throw new NotNow(answer);
  }

  /** Brings a chunk from the hub: these bytes and no others. Throws `NotNow`. */
  async get({ digest, bytes }: ChunkRef): Promise<Uint8Array> {
    await this.down.pass(this.rule, bytes, this.trip.signal);
    const said = await this.request(SITE.chunkGet, { ...this.ref(), digest, bytes });
    const framed = readFrame(said.data);
    const answer = answerIn(chunkAnswerSchema, framed?.head);
    if (!answer.ok) throw new NotNow(answer);
    if (framed === undefined) throw new Error('an answer without bytes');
    if (digestOf(framed.bytes) !== digest) throw new Error(`other bytes than those of chunk ${digest} came`);
    return framed.bytes;
  }

  private ref() {
    const { project, name, incarnation } = this.rule();
    return { project, name, incarnation };
  }

  private async request(subject: string, body: object): Promise<{ data: Uint8Array; json(): unknown }> {
    const { signal } = this.trip;
    signal.throwIfAborted();
    let turn: () => void = () => undefined;
    const turned = new Promise<never>((_, reject) => {
      turn = () => reject(new Error('turned back'));
      signal.addEventListener('abort', turn);
    });
    try {
      return await Promise.race([this.bus.request(subject, body, { timeoutMs: ANSWER_MS }), turned]);
    } finally {
      signal.removeEventListener('abort', turn);
    }
  }
}

/** Runs a task for each item, as many at once as come fast. After a failure no further one is begun; it is thrown when all have ended. */
export async function inWindow<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const under = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let window = 1;
  let next = 0;
  const begin = (item: T) => {
    const from = performance.now();
    const task: Promise<void> = run(item)
      .then(() => void (window = nextWindow(window, performance.now() - from)))
      .catch((error: unknown) => void failures.push(error))
      .then(() => void under.delete(task));
    under.add(task);
  };
  for (;;) {
    while (failures.length === 0 && next < items.length && under.size < window) {
      const item = items[next];
      next += 1;
      if (item !== undefined) begin(item);
    }
    if (under.size === 0) break;
    await Promise.race(under);
  }
  if (failures.length > 0) throw failures[0];
}

/** Lets bytes pass as the rule of bandwidth allows, in the order they came. */
class Pace {
  private bucket: Bucketful | undefined;
  private line: Promise<void> = Promise.resolve();

  async pass(rule: () => CopyRule, bytes: number, signal: AbortSignal): Promise<void> {
    const mine = this.line.then(async () => {
      for (;;) {
        signal.throwIfAborted();
        const rules = rule().objects?.bandwidth ?? [];
        const { ok, bucket, waitMs } = permit(rules, this.bucket, bytes, {
          wallMs: Date.now(),
          now: performance.now(),
        });
        this.bucket = bucket;
        if (ok) return;
        // The rule may be another by then.
        await sleep(Math.min(waitMs, LOOK_MS), undefined, { signal });
      }
    });
    this.line = mine.catch(() => undefined);
    await mine;
  }
}
