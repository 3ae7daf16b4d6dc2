import type { Bus, Subscription } from '@skerry/bus';
import {
  parseAcross,
  Refusal,
  SITE,
  siteDatasetRequestSchema,
  type DatasetOperation,
  type SiteDatasetAnswer,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import type { Copies } from './copies.js';
import { operate } from './operate.js';

/** Writes whose answers are remembered, by the id of the request. */
const REMEMBERED = 1_000;
const READS = new Set(['list', 'get', 'watch', 'state']);

export interface DatasetRequestsOptions {
  copies: Copies;
  /** Whether this agent speaks for the site: the others of it keep quiet. */
  acting: () => boolean;
  log: Log;
}

/** Answers what people ask of the site's copies through the hub, which has looked at who they are. */
export class DatasetRequests {
  /** What writes were answered: one that is asked for again is not done twice. */
  private readonly answered = new Map<string, Promise<SiteDatasetAnswer>>();

  constructor(
    private readonly bus: Bus,
    private readonly options: DatasetRequestsOptions,
  ) {}

  listen(): Subscription {
    return this.bus.listen(SITE.request('dataset'), (m) => void this.answer(m));
  }

  private async answer(message: { json(): unknown }): Promise<void> {
    if (!this.options.acting()) return;
    const parsed = parseAcross(siteDatasetRequestSchema, message.json());
    if (!parsed.ok) return this.options.log.warn('a request about a dataset that is none');
    const { id, operation } = parsed.value;
    this.bus.say(
      SITE.answer(id),
      await (READS.has(operation.verb) ? this.done(operation) : this.once(id, operation)),
    );
  }

  private async once(id: string, operation: DatasetOperation): Promise<SiteDatasetAnswer> {
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

  private async done(operation: DatasetOperation): Promise<SiteDatasetAnswer> {
    return await operate(this.options.copies, operation).then(
      (answer) => ({ ok: true as const, answer }),
      (error: unknown) => refusalOf(error),
    );
  }
}

/** What went wrong, as who asked is told. */
export function refusalOf(error: unknown): Extract<SiteDatasetAnswer, { ok: false }> {
  const refusal = error instanceof Refusal ? error : new Refusal('internal', reason(error));
  const { code, title, issues, hint } = refusal.problem();
  return { ok: false, code, title, issues, ...(hint === undefined ? {} : { hint }) };
}
