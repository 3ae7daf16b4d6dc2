import type { Bus, Subscription } from '@skerry/bus';
import { parseAcross, SITE, siteObjectRequestSchema, type SiteObjectAnswer } from '@skerry/contracts';
import { refusalOf } from '../datasets/dataset-requests.js';
import type { Log } from '../log.js';
import { operateObjects, type ObjectDesk } from './operate-objects.js';

export interface ObjectRequestsOptions extends ObjectDesk {
  /** Whether this agent speaks for the site: the others of it keep quiet. */
  acting: () => boolean;
  log: Log;
}

/** Answers what people ask of the site's objects through the hub, which has looked at who they are. */
export class ObjectRequests {
  /** Requests that are being answered: one that comes again meanwhile gets the same answer. */
  private readonly under = new Map<string, Promise<SiteObjectAnswer>>();

  constructor(
    private readonly bus: Bus,
    private readonly options: ObjectRequestsOptions,
  ) {}

  listen(): Subscription {
    return this.bus.listen(SITE.request('object'), (m) => void this.answer(m));
  }

  private async answer(message: { json(): unknown }): Promise<void> {
    if (!this.options.acting()) return;
    const parsed = parseAcross(siteObjectRequestSchema, message.json());
    if (!parsed.ok) return this.options.log.warn('a request about an object that is none');
    const { id, operation } = parsed.value;
    const answer =
      this.under.get(id) ??
      operateObjects(this.options, operation).then(
        (done): SiteObjectAnswer => ({ ok: true, answer: done }),
        (error: unknown): SiteObjectAnswer => refusalOf(error),
      );
    this.under.set(id, answer);
    const said = await answer;
    this.under.delete(id);
    this.bus.say(SITE.answer(id), said);
  }
}
