import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import {
  LIMITS,
  parse,
  quotaListRequestSchema,
  Refusal,
  type QuotaListAnswer,
  type QuotaView,
} from '@skerry/contracts';
import { limitsOf, useOf } from '@skerry/domain';
import { QuotasStore } from '../stores/quotas.store.js';

/** Answers what projects may have and what they take of it, as this instance has heard. */
@Injectable()
export class QuotasHandler {
  constructor(@Inject(QuotasStore) private readonly quotas: QuotasStore) {}

  handle(message: Message): QuotaListAnswer {
    const parsed = parse(quotaListRequestSchema, message.json());
    if (!parsed.ok) throw new Refusal('malformed', 'not a request for quotas', { issues: parsed.issues });
    const { project, after = '' } = parsed.value;
    if (project !== undefined) return { items: [this.view(project)] };
    const rest = this.quotas.projects().filter((name) => name > after);
    const page = rest.slice(0, LIMITS.quotasPerPage);
    const last = page.at(-1);
    const items = page.map((name) => this.view(name));
    return last === undefined || rest.length === page.length ? { items } : { items, next: last };
  }

  private view(project: string): QuotaView {
    const used = useOf(this.quotas.claimsOf(project));
    return { project, limits: limitsOf(this.quotas.of(project)), used };
  }
}
