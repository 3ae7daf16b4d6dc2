import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import { type QuotaListAnswer, quotaListAnswerSchema, type QuotaListRequest, RPC } from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { FleetStore } from '../stores/fleet.store.js';

/** What projects may have and what they take of it: policy knows what is wanted, and what is placed has a price. */
@Injectable()
export class AskQuotas {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(FleetStore) private readonly fleet: FleetStore,
  ) {}

  async page(request: QuotaListRequest): Promise<QuotaListAnswer> {
    const page = quotaListAnswerSchema.parse((await this.bus.request(RPC.quotas, request)).json());
    const costs = this.fleet.costs();
    const items = page.items.map((view) => ({
      ...view,
      used: { ...view.used, budgetPerMonth: costs.get(view.project) ?? 0 },
    }));
    return { ...page, items };
  }
}
