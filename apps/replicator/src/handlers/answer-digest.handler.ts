import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  compareVersions,
  isWorkloadObject,
  digestRequestSchema,
  HUB,
  LIMITS,
  parseAcross,
  workloadKey,
  type Desired,
  type DigestAnswer,
  type DigestRequest,
  type Site,
} from '@skerry/contracts';
import { repair, type Held } from '@skerry/domain';
import { BUS, JsonLog, type PlainMessage } from '@skerry/service';
import { SiteStores } from '../stores/site-stores.js';
import { WantedStore } from '../stores/wanted.store.js';
import { Bury } from './bury.handler.js';
import { SiteQuotas } from './site-quotas.js';

/** Pages of one digest; more workloads than these hold no site has. */
const MAX_PAGES = 50;
/** Pages of digests that are answered to one site: two whole digests at once, then ten pages a second. */
const PAGES = { perSecond: 10, burst: 2 * MAX_PAGES };
/** Bytes of objects in one answer; the rest comes with another round. */
const ANSWER_BYTES = LIMITS.messageBytes * 0.7;
const READ_AT_ONCE = 32;
/** A site that has not said within this time that it acts on what was written to it may be deaf. */
const UNHEARD_MS = 5_000;
const ASK_EVERY_MS = 1_000;
const ASK_MAX_MS = 60_000;

interface Digest {
  held: Held[];
  nextPage: number;
}

/**
 * Answers what a site says it holds with what differs, inline: the stream that should have brought it may be deaf.
 * Versions are compared, never a lag figure. What the site holds and nobody wants is buried.
 */
@Injectable()
export class AnswerDigest {
  private readonly digests = new Map<string, Digest>();
  /** Sites that were asked because they were silent, and when they may be asked again. */
  private readonly asked = new Map<string, { next: number; waitMs: number }>();
  /** A site that asks all the time is answered at the pace that an honest one needs. */
  private readonly quotas = new SiteQuotas(PAGES);
  private timer: NodeJS.Timeout | undefined;
  private active = false;
  private onSequence: (site: string, sequence: number) => void = () => undefined;

  constructor(
    private readonly wanted: WantedStore,
    private readonly stores: SiteStores,
    private readonly bury: Bury,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** `onSequence` hears up to where each site got `DL`. */
  start(onSequence: (site: string, sequence: number) => void): void {
    this.onSequence = onSequence;
    this.active = true;
    clearInterval(this.timer);
    this.timer = setInterval(() => this.askSilent(), ASK_EVERY_MS);
  }

  stop(): void {
    this.active = false;
    this.digests.clear();
    this.asked.clear();
    clearInterval(this.timer);
  }

  /** Asks every site for its digest now. */
  askAll(): void {
    for (const site of this.wanted.allSites()) this.ask(site);
  }

  /** Asks the sites that have not been heard of what was written to them for a while; each less and less often. */
  askSilent(): void {
    const now = performance.now();
    const silent = new Set(this.stores.delivered.silentSince(now - UNHEARD_MS));
    for (const site of this.asked.keys()) if (!silent.has(site)) this.asked.delete(site);
    for (const name of silent) {
      const { next, waitMs } = this.asked.get(name) ?? { next: 0, waitMs: UNHEARD_MS };
      const site = this.wanted.site(name);
      if (now < next || site === undefined) continue;
      this.asked.set(name, { next: now + waitMs, waitMs: Math.min(waitMs * 2, ASK_MAX_MS) });
      this.ask(site);
    }
  }

  private ask(site: Site): void {
    if (this.wanted.mayReceive(site.name)) this.bus.say(HUB.request(site.account, 'digest'), {});
  }

  async handle(message: PlainMessage): Promise<void> {
    const site = this.wanted.ofAccount(message.subject.split('.')[1]);
    if (!this.active || message.reply === undefined || site === undefined) return;
    if (!this.wanted.mayReceive(site.name) || !this.quotas.take(site.name)) return;
    const parsed = parseAcross(digestRequestSchema, message.json());
    if (!parsed.ok || parsed.value.site !== site.name) {
      this.log.warn(`digest of site ${site.name} is none`);
      return;
    }
    message.reply(await this.page(site, parsed.value));
  }

  private async page(site: Site, request: DigestRequest): Promise<DigestAnswer> {
    const digest = request.page === 0 ? { held: [], nextPage: 0 } : this.digests.get(site.name);
    this.digests.delete(site.name);
    // Pages of a digest that another instance began, or out of order: the site begins again.
    if (digest === undefined || digest.nextPage !== request.page || request.page >= MAX_PAGES) return AGAIN;
    for (const { project, name, version } of request.items) {
      digest.held.push({ key: workloadKey(project, name), version });
    }
    digest.nextPage += 1;
    if (!request.last) {
      this.digests.set(site.name, digest);
      return NOTHING;
    }
    this.onSequence(site.name, request.lastSequence);
    return this.compare(site, digest.held, request.access);
  }

  private async compare(
    site: Site,
    held: readonly Held[],
    heldAccess: number | undefined,
  ): Promise<DigestAnswer> {
    const { delivered } = this.stores;
    for (const { key, version } of held) delivered.heard(site.name, key, version);
    const first = repair(held, delivered.ofSite(site.name));
    const unwanted = first.unknown.filter((key) => this.isUnwanted(site.name, key, held));
    for (const key of unwanted) await this.bury.handle(site.name, key);
    const { send, unknown, newer } =
      unwanted.length === 0 ? first : repair(held, delivered.ofSite(site.name));
    if (newer.length > 0) {
      this.log.error(
        `alarm: site ${site.name} holds newer objects than the hub: ${newer.slice(0, 8).join(', ')}`,
      );
    }
    const strange = unknown.filter((key) => this.wanted.placement(key) === undefined);
    return {
      ...(await this.read(site.name, send, heldAccess)),
      unknown: strange.slice(0, LIMITS.digestItemsPerPage),
    };
  }

  /** Something newer was decided, and it gives this site nothing. */
  private isUnwanted(site: string, key: string, held: readonly Held[]): boolean {
    const placement = this.wanted.placement(key);
    const version = held.find((h) => h.key === key)?.version;
    if (placement === undefined || version === undefined) return false;
    const gone = placement.shares.every((s) => s.site !== site);
    return gone && compareVersions(placement.version, version) > 0;
  }

  /** The objects of these keys, as many as one answer holds. */
  private async read(
    site: string,
    keys: readonly string[],
    heldAccess: number | undefined,
  ): Promise<Omit<DigestAnswer, 'unknown'>> {
    const { delivered, downlink } = this.stores;
    const there = delivered.ofSite(site);
    const sequences = keys.flatMap((key) => there.get(key)?.sequence ?? []);
    const all = [...sequences, ...delivered.ofSiteItself(site, heldAccess)];
    const objects: Desired[] = [];
    const traces: Record<string, string> = {};
    let bytes = 0;
    for (let i = 0; i < all.length; i += READ_AT_ONCE) {
      const read = await Promise.all(
        all.slice(i, i + READ_AT_ONCE).map((sequence) => downlink.get(sequence)),
      );
      for (const { object, traceparent } of read.filter((r) => r !== undefined)) {
        bytes += Buffer.byteLength(JSON.stringify(object));
        if (bytes > ANSWER_BYTES) return { objects, traces, more: true };
        objects.push(object);
        if (traceparent !== undefined && isWorkloadObject(object)) {
          traces[workloadKey(object.project, object.name)] = traceparent;
        }
      }
    }
    return { objects, traces, more: false };
  }
}

const NOTHING: DigestAnswer = { objects: [], unknown: [], more: false };
const AGAIN: DigestAnswer = { ...NOTHING, more: true };
