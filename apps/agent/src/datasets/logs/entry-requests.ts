import type { Bus, Subscription } from '@skerry/bus';
import {
  parseAcross,
  SITE,
  siteLogRequestSchema,
  type LogOperation,
  type SiteLogAnswer,
} from '@skerry/contracts';
import type { Log } from '../../log.js';
import { refusalOf } from '../dataset-requests.js';
import type { EntryLogs } from './entry-logs.js';
import { operateLog } from './operate-log.js';

/** Appends whose answers are remembered, by the id of the request. */
const REMEMBERED = 1_000;

export interface EntryRequestsOptions {
  logs: EntryLogs;
  /** Whether this agent speaks for the site: the others of it keep quiet. */
  acting: () => boolean;
  log: Log;
}

/** Answers what people ask of the site's logs through the hub, which has looked at who they are. */
export class EntryRequests {
  /** What appends were answered: one that is asked for again is not done twice. */
  private readonly answered = new Map<string, Promise<SiteLogAnswer>>();

  constructor(
    private readonly bus: Bus,
    private readonly options: EntryRequestsOptions,
  ) {}

  listen(): Subscription {
    return this.bus.listen(SITE.request('log'), (m) => void this.answer(m));
  }

  private async answer(message: { json(): unknown }): Promise<void> {
    if (!this.options.acting()) return;
    const parsed = parseAcross(siteLogRequestSchema, message.json());
    if (!parsed.ok) return this.options.log.warn('a request about a log that is none');
    const { id, operation } = parsed.value;
    const answer = operation.verb === 'append' ? this.once(id, operation) : this.done(operation);
    this.bus.say(SITE.answer(id), await answer);
  }

  private async once(id: string, operation: LogOperation): Promise<SiteLogAnswer> {
    const before = this.answered.get(id);
    if (before !== undefined) return await before;
    const answer = this.done(operation);
    this.answered.set(id, answer);
    const [oldest] = this.answered.keys();
    if (this.answered.size > REMEMBERED && oldest !== undefined) this.answered.delete(oldest);
    // What did not happen may be tried again.
    if (!(await answer).ok) this.answered.delete(id);
    return await answer;
  }

  private async done(operation: LogOperation): Promise<SiteLogAnswer> {
    return await operateLog(this.options.logs, operation).then(
      (answer) => ({ ok: true as const, answer }),
      (error: unknown) => refusalOf(error),
    );
  }
}
