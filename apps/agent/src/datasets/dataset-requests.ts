import type { Bus, Subscription } from '@skerry/bus';
import {
  parseAcross,
  Refusal,
  SITE,
  siteDatasetRequestSchema,
  type SiteDatasetAnswer,
} from '@skerry/contracts';
import { reason, type Log } from '../log.js';
import type { Copies } from './copies.js';
import { operate } from './operate.js';

export interface DatasetRequestsOptions {
  copies: Copies;
  /** Whether this agent speaks for the site: the others of it keep quiet. */
  acting: () => boolean;
  log: Log;
}

/** Answers what people ask of the site's copies through the hub, which has looked at who they are. */
export class DatasetRequests {
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
    try {
      this.say(id, { ok: true, answer: await operate(this.options.copies, operation) });
    } catch (error) {
      this.say(id, refusalOf(error));
    }
  }

  private say(id: string, answer: SiteDatasetAnswer): void {
    this.bus.say(SITE.answer(id), answer);
  }
}

/** What went wrong, as who asked is told. */
export function refusalOf(error: unknown): Extract<SiteDatasetAnswer, { ok: false }> {
  const refusal = error instanceof Refusal ? error : new Refusal('internal', reason(error));
  const { code, title, issues, hint } = refusal.problem();
  return { ok: false, code, title, issues, ...(hint === undefined ? {} : { hint }) };
}
