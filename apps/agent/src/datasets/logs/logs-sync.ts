import type { Bus } from '@skerry/bus';
import {
  entryDeliverySchema,
  LIMITS,
  logNewsSchema,
  logsRequestSchema,
  SITE,
  type EntryDelivery,
  type LogRule,
} from '@skerry/contracts';
import type { z } from 'zod';
import type { Log } from '../../log.js';
import { askHub } from '../ask-hub.js';
import { InStep } from '../in-step.js';
import type { EntryLogs } from './entry-logs.js';
import { EntrySync } from './entry-sync.js';

const ANSWER_MS = 2_000;

export interface LogsSyncOptions {
  logs: EntryLogs;
  /** ms since the hub was heard. */
  silentMs: () => number;
  log: Log;
}

/** A log that this node is to have, and where the hub is with it. */
interface WantedLog {
  rule: LogRule;
  head: number;
  stored: number | undefined;
}

const newsSchema = logNewsSchema.transform(({ logs, gone }) => ({
  wanted: logs.map(({ log: rule, head, stored }): WantedLog => ({ rule, head, stored })),
  gone,
}));
type LogNews = z.infer<typeof newsSchema>;
type GoneLog = LogNews['gone'][number];
const QUESTION = { subject: SITE.logs, schema: newsSchema, timeoutMs: ANSWER_MS };

/** Keeps the logs of this node in step with the hub, as `DatasetSync` does for copies of the other kind. */
export class LogsSync {
  private readonly inStep: InStep<WantedLog, GoneLog, EntryDelivery>;

  constructor(
    private readonly bus: Bus,
    private readonly options: LogsSyncOptions,
  ) {
    const { logs } = options;
    this.inStep = new InStep<WantedLog, GoneLog, EntryDelivery>(
      bus,
      {
        what: 'logs',
        news: { subject: SITE.logNews, schema: newsSchema },
        deliveries: { subject: SITE.entryDelivery, schema: entryDeliverySchema },
        greet: async () => await this.greet(),
        keys: () => logs.all().map(([key]) => key),
        kept: (key) => logs.get(key)?.log,
        want: async (rule: LogRule) => await logs.want(rule),
        forget: async (key) => {
          await logs.forget(key);
          return true;
        },
        way: (key) => this.wayOf(key),
      },
      options,
    );
  }

  start(): void {
    this.options.logs.onWrite((key) => this.inStep.send(key));
    this.inStep.start();
  }

  async stop(): Promise<void> {
    this.options.logs.onWrite(() => undefined);
    await this.inStep.stop();
  }

  /** Says what this node has of each log; what the hub says to it. */
  private async greet(): Promise<LogNews> {
    const { logs } = this.options;
    const held = logs.all().map(([, { log }]) => {
      const { project, name, incarnation, generation } = log.rule;
      const [, store = ''] = log.origin.split('.');
      return { project, name, incarnation, generation, store };
    });
    const body = logsRequestSchema.parse({ held: held.slice(0, LIMITS.copiesPerSite) });
    return await askHub(this.bus, QUESTION, body);
  }

  private wayOf(key: string): EntrySync | undefined {
    const kept = this.options.logs.get(key);
    if (kept === undefined) return undefined;
    return new EntrySync(this.bus, kept.log, {
      log: this.options.log,
      silent: () => this.inStep.silent,
      greet: () => this.inStep.greet(),
    });
  }
}
