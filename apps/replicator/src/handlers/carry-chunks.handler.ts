import { Inject, Injectable } from '@nestjs/common';
import { StorageFull, type Bus } from '@skerry/bus';
import {
  chunkAskSchema,
  chunkGetSchema,
  chunkPutSchema,
  frame,
  HUB,
  LIMITS,
  parse,
  readFrame,
  workloadKey,
  type ChunkAnswer,
  type ChunkAskAnswer,
  type ChunkPlace,
  type ChunkRef,
  type ChunkRefusal,
  type ChunksWanted,
  type Dataset,
  type DatasetRef,
  type Site,
} from '@skerry/contracts';
import { originOf, unpackList } from '@skerry/domain';
import { BUS, JsonLog, type PlainMessage } from '@skerry/service';
import { ChunksStore, digestOf } from '../stores/chunks.store.js';
import { CopiesStore, objectsOf } from '../stores/copies.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import { Bringers } from './bringers.js';
import { SiteQuotas } from './site-quotas.js';

/** Messages about chunks of one site: about 64 MiB a second, and a burst. */
const TURNS = { perSecond: 400, burst: 2_000 };
/** Chunks in the memory of this process at once. */
const AT_ONCE = 64;
const RETRY_MS = 250;
const FULL_RETRY_MS = 30_000;
/** Sites are asked for what the hub lacks when nobody brings anything for so long, and again as seldom. */
const IDLE_MS = 5_000;
/** Chunks that one answer asks a site for: at most 64 MiB, so that sites which have the same share what the hub has lost. */
const ASKED_AT_ONCE = 256;

const NOBODY = 'this site has no copy of it';
const NOTHING = new Uint8Array(0);

/** A dataset, and where in it a site's chunks lie: with `residency.origin` those of its area. */
interface Carried {
  dataset: Dataset;
  place: ChunkPlace;
}

/**
 * Takes chunks in from the sites that have them, and gives them to those that ask. Whether the site may have the dataset is asked
 * anew with each message, and who asks is the account that the server put into the subject.
 */
@Injectable()
export class CarryChunks {
  private active = false;
  private under = 0;
  private readonly quotas = new SiteQuotas(TURNS);
  /** By place, when a chunk came last or was asked for. */
  private readonly moved = new Map<string, number>();
  private readonly bringers = new Bringers();

  constructor(
    private readonly wanted: WantedStore,
    private readonly copies: CopiesStore,
    private readonly chunks: ChunksStore,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    this.chunks.forget();
    this.active = true;
  }

  stop(): void {
    this.active = false;
    this.chunks.forget();
    this.bringers.forget();
  }

  /** Says which chunks of objects are missing here, and no other site is bringing. What is named so is not swept away. */
  async ask(message: PlainMessage): Promise<void> {
    await this.answered(message, async (site) => {
      const parsed = parse(chunkAskSchema, message.json());
      if (!parsed.ok) return refused('no question about chunks');
      const carried = this.allowed(site, parsed.value, 'write');
      return carried === undefined
        ? later(NOBODY)
        : await this.missing(carried.place, site, parsed.value.lists);
    });
  }

  /** Stores a chunk. */
  async put(message: PlainMessage): Promise<void> {
    await this.answered(message, async (site) => {
      const framed = readFrame(message.data);
      const parsed = framed && parse(chunkPutSchema, framed.head);
      if (framed === undefined || parsed?.ok !== true) return refused('no chunk');
      const carried = this.allowed(site, parsed.value, 'write');
      if (carried === undefined) return later(NOBODY);
      const { bytes } = framed;
      const { digest, sealed = false } = parsed.value;
      const why = whyNone({ bytes, digest, sealed }, carried.dataset);
      if (why !== undefined) {
        this.copies.refused(site, carried.dataset, { what: 'write', why });
        return refused(why);
      }
      const answer = await this.store(carried, { digest, bytes: bytes.length }, bytes);
      if (answer.ok) this.bringers.came(keyOf(carried.place), site.name, { digest, now: performance.now() });
      return answer;
    });
  }

  /** Gives a chunk. */
  async get(message: PlainMessage): Promise<void> {
    await this.answered(message, async (site) => {
      const parsed = parse(chunkGetSchema, message.json());
      if (!parsed.ok) return frame(refused('no question for a chunk'), NOTHING);
      const carried = this.allowed(site, parsed.value, 'read');
      if (carried === undefined) return frame(later(NOBODY), NOTHING);
      const bytes = await this.chunks.get(carried.place, parsed.value);
      if (bytes !== undefined) return frame({ ok: true } satisfies ChunkAnswer, bytes);
      this.want(carried, parsed.value);
      return frame(absent(), NOTHING);
    });
  }

  private async missing(place: ChunkPlace, site: Site, lists: readonly ChunkRef[]): Promise<ChunkAskAnswer> {
    const index = await this.chunks.of(place);
    const missing = new Map<string, ChunkRef>();
    const look = (chunk: ChunkRef) => {
      const there = index.get(chunk.digest);
      if (there === undefined) missing.set(chunk.digest, chunk);
      else delete there.unnamedSince;
    };
    for (const list of lists) {
      look(list);
      const bytes = await this.chunks.get(place, list);
      for (const chunk of (bytes && unpackList(bytes)) ?? []) look(chunk);
    }
    const all = [...missing.values()].map(({ digest, bytes }) => ({ digest, bytes }));
    const share = { lacking: all, most: ASKED_AT_ONCE, now: performance.now() };
    const first = this.bringers.share(keyOf(place), site.name, share);
    if (first.length === 0 && all.length > 0) return absent('another site is bringing it');
    // A list that is missing may name more.
    const unread = lists.some(({ digest }) => missing.has(digest));
    return { ok: true, missing: first, more: unread || first.length < all.length };
  }

  private async store({ dataset, place }: Carried, chunk: ChunkRef, bytes: Uint8Array): Promise<ChunkAnswer> {
    const room = 2 * objectsOf(dataset.spec).bytes + LIMITS.objectBytes;
    const index = await this.chunks.of(place);
    let stored = chunk.bytes;
    for (const { bytes: each } of index.values()) stored += each;
    // What an object takes the place of stays until it is swept.
    if (stored > room)
      return refused('more chunks than the objects of this dataset may have (spec.objects.bytes)');
    this.moved.set(keyOf(place), performance.now());
    try {
      await this.chunks.put(place, chunk, bytes);
      return { ok: true };
    } catch (error) {
      if (error instanceof StorageFull)
        return later("the hub's store of chunks is full (stream CHUNKS)", FULL_RETRY_MS);
      throw error;
    }
  }

  /** Asks the sites that may have a chunk to bring it: who wrote it is not doing so. */
  private want({ dataset, place }: Carried, { digest, bytes }: ChunkRef): void {
    const now = performance.now();
    const moved = this.moved.get(keyOf(place));
    if (moved === undefined || now - moved < IDLE_MS) {
      this.moved.set(keyOf(place), moved ?? now);
      return;
    }
    this.moved.set(keyOf(place), now);
    const { project, name, incarnation } = dataset;
    const wanted: ChunksWanted = { project, name, incarnation, chunks: [{ digest, bytes }] };
    for (const site of this.copies.sitesOf(dataset))
      if (this.copies.areaOf(dataset, site) === place.area)
        this.bus.say(HUB.chunksWanted(site.account), wanted);
  }

  private allowed(site: Site, ref: DatasetRef, what: 'read' | 'write'): Carried | undefined {
    const dataset = this.copies.allowed(site, ref, what);
    if (dataset?.spec.type === 'objects') return this.carriedFor(dataset, site);
    if (dataset !== undefined) this.copies.refused(site, ref, { what, why: 'it has no objects' });
    this.log.warn(
      `site ${site.name} asked about chunks of ${ref.project}/${ref.name}, of which it has no copy`,
    );
    return undefined;
  }

  /** A site is given, told of and asked for chunks of its own area alone. */
  private carriedFor(dataset: Dataset, site: Site): Carried | undefined {
    const { project, name, incarnation } = dataset;
    const area = this.copies.areaOf(dataset, site);
    if (area === undefined && originOf(dataset.spec.residency) !== undefined) return undefined;
    return { dataset, place: { project, name, incarnation, area } };
  }

  /** Answers a site that may ask, in its turn; what cannot be answered is said to be so. */
  private async answered(
    message: PlainMessage,
    answer: (site: Site) => Promise<Uint8Array | ChunkAnswer | ChunkAskAnswer>,
  ): Promise<void> {
    const site = this.wanted.ofAccount(message.subject.split('.')[1]);
    if (!this.active || message.reply === undefined || site === undefined) return;
    if (!this.wanted.mayReceive(site.name) || !this.quotas.take(site.name) || this.under >= AT_ONCE)
      return message.reply(sayable(message, later('too much at once')));
    this.under += 1;
    try {
      message.reply(await answer(site));
    } catch (error) {
      this.log.warn(`a chunk of site ${site.name} was not carried`, error);
      message.reply(sayable(message, later('the hub could not')));
    } finally {
      this.under -= 1;
    }
  }
}

/** Why something is no chunk of this dataset; undefined: it is one. */
function whyNone(
  { bytes, digest, sealed }: { bytes: Uint8Array; digest: string; sealed: boolean },
  { spec }: Dataset,
): string | undefined {
  if (spec.encryption !== undefined && !sealed)
    return 'in clear, and the dataset is encrypted (spec.encryption)';
  if (spec.encryption === undefined && sealed) return 'sealed, and the dataset is not';
  const isIt = bytes.length >= 1 && bytes.length <= LIMITS.chunkBytes && digestOf(bytes) === digest;
  return isIt ? undefined : 'these bytes are not the chunk';
}

/** Who asked for a chunk is answered with a frame. */
function sayable({ subject }: PlainMessage, refusal: ChunkRefusal): Uint8Array | ChunkRefusal {
  return subject.endsWith('.chunkget') ? frame(refusal, NOTHING) : refusal;
}

function later(reason: string, retryAfterMs = RETRY_MS): ChunkRefusal {
  return { ok: false, code: 'unavailable', retryAfterMs, reason };
}

function absent(reason = 'the hub has not got it'): ChunkRefusal {
  return { ok: false, code: 'absent', retryAfterMs: RETRY_MS, reason };
}

function refused(reason: string): ChunkRefusal {
  return { ok: false, code: 'refused', retryAfterMs: 0, reason };
}

function keyOf({ project, name, area = '' }: ChunkPlace): string {
  return `${workloadKey(project, name)} ${area}`;
}
