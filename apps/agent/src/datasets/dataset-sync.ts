import { isDeepStrictEqual } from 'node:util';
import type { Bus, HeardMessage, Subscription } from '@skerry/bus';
import {
  copiesRequestSchema,
  copyNewsSchema,
  deliverySchema,
  givenSchema,
  LIMITS,
  parseAcross,
  SITE,
  workloadKey,
  type Copy as CopyRule,
  type Delivery,
  type OtherSites,
  type SealingNews,
} from '@skerry/contracts';
import { fullBucket, take, type Bucketful } from '@skerry/domain';
import type { z } from 'zod';
import { reason, type Log } from '../log.js';
import type { Sealing } from '../sealing/sealing.js';
import { askHub } from './ask-hub.js';
import type { Copies } from './copies.js';
import type { Copy } from './copy.js';
import { CopySync } from './copy-sync.js';
import { Giving } from './giving.js';
import { InStep } from './in-step.js';
import { LostAtHub } from './lost-at-hub.js';
import type { ReadyCopies } from './ready-copies.js';
import type { RefusalsHere } from './refused-here.js';
import { withDeclared } from './with-declared.js';

const ANSWER_MS = 2_000;
/** What was refused here is told so long after, with what was refused meanwhile. */
const TELL_MS = 2_000;
/** The hub is asked again this often while keys are waited for; it says so when there are any. */
const LACKING_MS = 3_000;
/** Messages that a site gives to this one, of all datasets. */
const HEEDED = { perSecond: 1_000, burst: 5_000 };

export interface DatasetSyncOptions {
  copies: Copies;
  ready: Pick<ReadyCopies, 'measuredBy' | 'isWhole' | 'isGone'>;
  refusals?: RefusalsHere;
  /** Without it no copy of an encrypted dataset is kept here. */
  sealing?: Sealing;
  /** Told of a dataset of which the hub has lost what it had. */
  lost?: (dataset: string) => void;
  /** ms since the hub was heard. */
  silentMs: () => number;
  log: Log;
}

/** A copy that this node is to have, and where the hub is with it. */
interface WantedCopy {
  rule: CopyRule;
  head: number;
  stored: number | undefined;
  again: boolean;
  streamEpoch: number | undefined;
  sealing: SealingNews | undefined;
  others: OtherSites | undefined;
}

const newsSchema = copyNewsSchema.transform(({ copies, gone, unknown }) => ({
  wanted: copies.map(({ copy: rule, again, ...where }): WantedCopy => {
    const { head, stored, streamEpoch, sealing, others } = where;
    return { rule, head, stored, again: again === true, streamEpoch, sealing, others };
  }),
  gone,
  unknown,
}));
type CopyNews = z.infer<typeof newsSchema>;
type GoneCopy = CopyNews['gone'][number];
const QUESTION = { subject: SITE.copies, schema: newsSchema, timeoutMs: ANSWER_MS };

/**
 * Keeps the copies of this node in step with the hub: what is written here goes up at once, what comes down is merged, and
 * whenever the hub is back both say where they are and send what the other lacks. Never more than that.
 */
export class DatasetSync {
  private readonly inStep: InStep<WantedCopy, GoneCopy, Delivery, CopySync>;
  private readonly lost: LostAtHub;
  private telling: NodeJS.Timeout | undefined;
  private given: Subscription | undefined;
  private readonly heeded = new Map<string, Bucketful>();
  private lacking: NodeJS.Timeout | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly options: DatasetSyncOptions,
  ) {
    const { copies, log } = options;
    this.lost = new LostAtHub(bus, {
      site: copies.site,
      of: (key) => copies.get(key)?.copy,
      greet: () => this.inStep.greet(),
      log,
    });
    this.inStep = new InStep<WantedCopy, GoneCopy, Delivery, CopySync>(
      bus,
      {
        what: 'copies',
        news: { subject: SITE.copyNews, schema: newsSchema },
        deliveries: { subject: SITE.recordDelivery, schema: deliverySchema },
        greet: async () => await this.greet(),
        keys: () => copies.all().map(([key]) => key),
        kept: (key) => copies.kept(key)?.copy,
        want: async (rule: CopyRule) => await this.want(rule),
        isOdd: ({ rule }) => this.isOdd(rule),
        forget: async (key, gone: GoneCopy) => await this.forget(key, gone),
        way: (key) => this.wayOf(key),
        probes: true,
      },
      options,
    );
  }

  start(): void {
    const { copies, ready, refusals } = this.options;
    refusals?.onNoted(() => {
      this.telling ??= setTimeout(() => this.tell(), TELL_MS).unref();
    });
    ready.measuredBy('copies', (key) => this.inStep.behind(key));
    copies.onWrite((key) => this.inStep.send(key));
    this.inStep.start();
    this.given = this.bus.listen(SITE.given, (m) => this.hearGiven(m));
    this.lacking = setInterval(() => {
      if (this.options.sealing?.lacks === true) this.inStep.greet();
    }, LACKING_MS).unref();
  }

  async stop(): Promise<void> {
    this.options.refusals?.onNoted(() => undefined);
    clearTimeout(this.telling);
    clearInterval(this.lacking);
    this.lost.close();
    await this.given?.drain();
    this.options.copies.onWrite(() => undefined);
    await this.inStep.stop();
  }

  private tell(): void {
    this.telling = undefined;
    this.inStep.greet();
  }

  /** Says what this node has of each copy, and what was refused here; what the hub says to it. */
  private async greet(): Promise<CopyNews> {
    const { copies, refusals } = this.options;
    const held = copies.all().map(([key, { copy }]) => {
      const { project, name, incarnation, generation } = copy.rule;
      const { cursor, unsent, streamEpoch } = copy;
      const [, writer = ''] = copy.origin.split('.');
      const { ended } = copy.home;
      const place = { cursor, unsent, store: writer, ...(streamEpoch > 0 ? { streamEpoch } : {}) };
      const home = ended === undefined ? {} : { ended };
      const isSealed = copy.rule.encryption !== undefined;
      const isPartial = isSealed && this.options.sealing?.get(key)?.isPartial !== false;
      const partial = isPartial ? { partial: true } : {};
      const at = { project, name, incarnation, generation, ...place, ...home, ...partial };
      // Of an encrypted one the digest would tell who guesses what is in it.
      const isApart = unsent > 0 || isSealed;
      return isApart ? at : { ...at, digest: copy.root };
    });
    const { store } = copies;
    const refused = refusals?.take() ?? [];
    const sealing = await this.options.sealing?.request();
    const body = copiesRequestSchema.parse({
      ...(store === undefined ? {} : { store }),
      held: held.slice(0, LIMITS.copiesPerSite),
      ...(refused.length === 0 ? {} : { refused }),
      ...(sealing === undefined ? {} : { sealing }),
    });
    try {
      const news = await askHub(this.bus, QUESTION, body);
      this.lost.heard(news.unknown);
      return news;
    } catch (error) {
      refusals?.putBack(refused);
      throw error;
    }
  }

  /** Not newer than the rule that is known of the same dataset, and not the same. */
  private isOdd(rule: CopyRule): boolean {
    const known = this.options.copies.get(workloadKey(rule.project, rule.name))?.copy.rule;
    if (known?.incarnation !== rule.incarnation || known.generation < rule.generation) return false;
    return !isDeepStrictEqual(known, withDeclared(rule, known));
  }

  private async want(rule: CopyRule): Promise<Copy> {
    const copy = await this.options.copies.want(rule);
    this.lost.known(copy);
    if (rule.encryption === undefined) return copy;
    // It stays as it is until it can be sealed, and stops no other.
    await this.options.sealing
      ?.of(copy.rule, () => this.inStep.greet())
      .catch((error: unknown) => {
        const { project, name } = rule;
        this.options.log.error('a copy cannot be sealed, and is not kept in step', {
          alarm: 'copy-not-sealed',
          project,
          name,
          reason: reason(error),
        });
      });
    return copy;
  }

  private async forget(key: string, { ifSent }: GoneCopy): Promise<boolean> {
    const { copies, sealing } = this.options;
    const gone = ifSent === true ? await copies.giveUp(key) : await copies.forget(key).then(() => true);
    if (gone) this.options.ready.isGone(key);
    if (gone) await sealing?.forget(key);
    return gone;
  }

  /** Another site gave something: who, the server has put into the subject. What it may not give is noted like all that is refused here. */
  private hearGiven(m: HeardMessage): void {
    if (m.data.length > LIMITS.givenBytes) return;
    const account = m.subject.split('.').at(-1) ?? '';
    if (!this.heed(account)) return;
    const parsed = parseAcross(givenSchema, m.json());
    if (!parsed.ok) return this.options.log.debug('what a site gave is none', { account });
    const { project, name } = parsed.value;
    const why = this.inStep.way(workloadKey(project, name))?.hearGiven(account, parsed.value);
    if (why === undefined) return;
    const by = `account ${account}`;
    this.options.refusals?.note({ project, name, what: 'write', by, why });
  }

  /** Before anything is read of it: a site may say much. */
  private heed(account: string): boolean {
    const now = performance.now();
    const { ok, bucket } = take(this.heeded.get(account) ?? fullBucket(HEEDED, now), HEEDED, 1, now);
    this.heeded.set(account, bucket);
    return ok;
  }

  private wayOf(key: string): CopySync | undefined {
    const kept = this.options.copies.get(key);
    if (kept === undefined) return undefined;
    const sealing = this.options.sealing?.get(key);
    // Nothing of it leaves before it can be sealed.
    if (kept.copy.rule.encryption !== undefined && sealing === undefined) return undefined;
    return new CopySync(this.bus, kept.copy, {
      log: this.options.log,
      sealing,
      giving: new Giving(this.bus),
      silent: () => this.inStep.silent,
      mayGoAhead: () => this.options.copies.hasRoom,
      greet: () => this.inStep.greet(),
      lost: () => this.options.lost?.(key),
      // That it is whole may be what others wait for.
      whole: () => this.options.ready.isWhole(key, kept.copy.rule.incarnation) && this.inStep.greet(),
    });
  }
}
