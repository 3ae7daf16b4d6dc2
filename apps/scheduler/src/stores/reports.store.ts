import { Injectable } from '@nestjs/common';
import { HealthStore } from './health.store.js';
import { RefusalsStore } from './refusals.store.js';

/** What sites say that matters to decisions: what they refused, and what of each workload is healthy there. */
@Injectable()
export class ReportsStore {
  constructor(
    readonly refusals: RefusalsStore,
    readonly health: HealthStore,
  ) {}
}
