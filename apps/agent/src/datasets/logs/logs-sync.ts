import { isDeepStrictEqual } from 'node:util';
import type { Bus } from '@skerry/bus';
import {
  entryDeliverySchema,
  LIMITS,
  logNewsSchema,
  logsRequestSchema,
  SITE,
  workloadKey,
  type EntryDelivery,
  type LogRule,
  type SealingNews,
} from '@skerry/contracts';
import type { z } from 'zod';
import { reason, type Log } from '../../log.js';
import type { Sealing } from '../../sealing/sealing.js';
import { askHub } from '../ask-hub.js';
import { InStep } from '../in-step.js';
import { LostAtHub } from '../lost-at-hub.js';
import type { ReadyCopies } from '../ready-copies.js';
import { withDeclared } from '../with-declared.js';
import type { EntryLog } from './entry-log.js';
import type { EntryLogs } from './entry-logs.js';
import { EntrySync } from './entry-sync.js';

const ANSWER_MS = 2_000;
/** The hub is asked again this often while keys are waited for; it says so when there are any. */
const LACKING_MS = 3_000;

export interface LogsSyncOptions {
  logs: EntryLogs;
  ready: Pick<ReadyCopies, 'measuredBy' | 'isWhole' | 'isGone'>;
  /** Without it no encrypted log is kept here. */
  sealing?: Sealing;
  /** ms since the hub was heard. */
  silentMs: () => number;
  log: Log;
}

/** A log that this node is to have, and where the hub is with it. */
interface WantedLog {
  rule: LogRule;
  head: number;
  stored: number | undefined;
  again: boolean | undefined;
  streamEpoch: number | undefined;
  sealing: SealingNews | undefined;
}

const newsSchema = logNewsSchema.transform(({ logs, gone, unknown }) => ({
  wanted: logs.map(({ log: rule, head, stored, again, streamEpoch, sealing }): WantedLog => {
    return { rule, head, stored, again, streamEpoch, sealing };
  }),
  gone,
  unknown,
}));
type LogNews = z.infer<typeof newsSchema>;
type GoneLog = LogNews['gone'][number];
const QUESTION = { subject: SITE.logs, schema: newsSchema, timeoutMs: ANSWER_MS };

/** Keeps the logs of this node in step with the hub, as `DatasetSync` does for copies of the other kind. */
export class LogsSync {
  private readonly inStep: InStep<WantedLog, GoneLog, EntryDelivery>;
  /** Logs that the hub has lost. */
  private readonly lost: LostAtHub;
  private lacking: NodeJS.Timeout | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly options: LogsSyncOptions,
  ) {
    const { logs, log } = options;
    this.lost = new LostAtHub(bus, {
      site: logs.site,
      of: (key) => logs.get(key)?.log,
      greet: () => this.inStep.greet(),
      log,
    });
    this.inStep = new InStep<WantedLog, GoneLog, EntryDelivery>(
      bus,
      {
        what: 'logs',
        news: { subject: SITE.logNews, schema: newsSchema },
        deliveries: { subject: SITE.entryDelivery, schema: entryDeliverySchema },
        greet: async () => await this.greet(),
        keys: () => logs.all().map(([key]) => key),
        kept: (key) => logs.get(key)?.log,
        want: async (rule: LogRule) => await this.want(rule),
        isOdd: ({ rule }) => this.isOdd(rule),
        forget: async (key, gone: GoneLog) => await this.forget(key, gone),
        way: (key) => this.wayOf(key),
      },
      options,
    );
  }

  start(): void {
    const { logs, ready } = this.options;
    ready.measuredBy('logs', (key) => this.inStep.behind(key));
    logs.onWrite((key) => this.inStep.send(key));
    this.inStep.start();
    this.lacking = setInterval(() => {
      if (this.options.sealing?.lacks === true) this.inStep.greet();
    }, LACKING_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.lacking);
    this.lost.close();
    this.options.logs.onWrite(() => undefined);
    await this.inStep.stop();
  }

  /** Says what this node has of each log; what the hub says to it. */
  private async greet(): Promise<LogNews> {
    const { logs } = this.options;
    const held = logs.all().map(([, { log }]) => {
      const { project, name, incarnation, generation } = log.rule;
      const [, store = ''] = log.origin.split('.');
      const { position: cursor, streamEpoch, written } = log;
      const read = { cursor, ...(streamEpoch > 0 ? { streamEpoch } : {}) };
      return { project, name, incarnation, generation, store, ...read, written };
    });
    const able = await this.options.sealing?.request();
    const sealing = able === undefined ? {} : { sealing: { ...able, store: logs.store } };
    const body = logsRequestSchema.parse({ held: held.slice(0, LIMITS.copiesPerSite), ...sealing });
    const news = await askHub(this.bus, QUESTION, body);
    this.lost.heard(news.unknown);
    return news;
  }

  /** Not newer than the rule that is known of the same log, and not the same. */
  private isOdd(rule: LogRule): boolean {
    const known = this.known(rule);
    if (known?.incarnation !== rule.incarnation || known.generation < rule.generation) return false;
    return !isDeepStrictEqual(known, withDeclared(rule, known));
  }

  private known({ project, name }: LogRule): LogRule | undefined {
    return this.options.logs.get(workloadKey(project, name))?.log.rule;
  }

  private async want(rule: LogRule): Promise<EntryLog> {
    const { logs, sealing, log } = this.options;
    const known = this.known(rule);
    const kept = await logs.want(known === undefined ? rule : withDeclared(rule, known));
    this.lost.known(kept);
    if (rule.encryption === undefined) return kept;
    // It stays as it is until it can be sealed, and stops no other.
    await sealing
      ?.of(kept.rule, () => this.inStep.greet())
      .catch((error: unknown) => {
        const { project, name } = rule;
        const why = { alarm: 'log-not-sealed', project, name, reason: reason(error) };
        log.error('a log cannot be sealed, and is not kept in step', why);
      });
    return kept;
  }

  private async forget(key: string, { ifSent, stored }: GoneLog): Promise<boolean> {
    const { logs, sealing } = this.options;
    // A power failure may have taken that the hub has it. From here nothing more is taken, which would say so.
    const log = ifSent === true ? logs.get(key)?.log : undefined;
    if (log !== undefined && stored !== undefined && log.unsent > 0) await log.hubHas(stored);
    const gone = ifSent === true ? await logs.giveUp(key) : await logs.forget(key).then(() => true);
    if (gone) this.options.ready.isGone(key);
    if (gone) await sealing?.forget(key);
    return gone;
  }

  private wayOf(key: string): EntrySync | undefined {
    const kept = this.options.logs.get(key);
    const sealing = this.options.sealing?.get(key);
    if (kept === undefined) return undefined;
    // Nothing of it leaves before it can be sealed.
    if (kept.log.rule.encryption !== undefined && sealing === undefined) return undefined;
    return new EntrySync(this.bus, kept.log, {
      log: this.options.log,
      sealing,
      silent: () => this.inStep.silent,
      greet: () => this.inStep.greet(),
      // That it is whole may be what others wait for.
      whole: () => this.options.ready.isWhole(key, kept.log.rule.incarnation) && this.inStep.greet(),
    });
  }
}
