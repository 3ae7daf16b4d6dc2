import { Controller } from '@nestjs/common';
import type { BucketChange, Message, Outcome, StoredMessage } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  copySetSchema,
  datasetSchema,
  placementsValueSchema,
  quotaSchema,
  RPC,
  siteSchema,
  siteStateSchema,
  STREAMS,
  workloadSchema,
  type CopySet,
  type Dataset,
  type PlacementsValue,
  type Plan,
  type Quota,
  type Site,
  type SiteState,
  type Why,
  type Workload,
} from '@skerry/contracts';
import { OnChange, OnFollowed, OnRequest, OnStored } from '@skerry/service';
import { AnnouncePlacements } from './handlers/announce-placements.handler.js';
import { AnswerPlan } from './handlers/answer-plan.handler.js';
import { AnswerWhatIf } from './handlers/answer-what-if.handler.js';
import { AnswerWhy } from './handlers/answer-why.handler.js';
import { HearNews } from './handlers/hear-news.handler.js';
import { QUOTA_KEYS } from './stores/workloads.store.js';

/** Every subject that scheduler hears, but `RPC.move`: that is answered by the active instance alone, see `MoveWorkloads`. */
@Controller()
export class SchedulerController {
  constructor(
    private readonly news: HearNews,
    private readonly answerPlan: AnswerPlan,
    private readonly answerWhatIf: AnswerWhatIf,
    private readonly answerWhy: AnswerWhy,
    private readonly announce: AnnouncePlacements,
  ) {}

  @OnChange(BUCKETS.placements, placementsValueSchema)
  placement(change: BucketChange<PlacementsValue>): void {
    this.news.placement(change);
  }

  @OnChange(BUCKETS.siteSpecs, siteSchema)
  site(change: BucketChange<Site>): void {
    this.news.site(change);
  }

  @OnChange(BUCKETS.siteStates, siteStateSchema)
  siteState(change: BucketChange<SiteState>): void {
    this.news.siteState(change);
  }

  @OnFollowed(STREAMS.OBSERVED.name, { filters: ['observed.*.workload.>'] })
  report(message: StoredMessage): void {
    this.news.report(message);
  }

  @OnChange(BUCKETS.workloads, workloadSchema)
  workload(change: BucketChange<Workload>): void {
    this.news.workload(change);
  }

  @OnChange(BUCKETS.datasets, datasetSchema)
  dataset(change: BucketChange<Dataset>): void {
    this.news.dataset(change);
  }

  @OnChange(BUCKETS.copies, copySetSchema)
  copies(change: BucketChange<CopySet>): void {
    this.news.copies(change);
  }

  @OnChange(BUCKETS.policies, quotaSchema, { keys: [QUOTA_KEYS] })
  quota(change: BucketChange<Quota>): void {
    this.news.quota(change);
  }

  @OnRequest(RPC.plan)
  plan(message: Message): Plan {
    return this.answerPlan.handle(message);
  }

  @OnRequest(RPC.whatIf)
  whatIf(message: Message): Promise<Plan> {
    return this.answerWhatIf.handle(message);
  }

  @OnRequest(RPC.why)
  why(message: Message): Promise<Why> {
    return this.answerWhy.handle(message);
  }

  @OnStored(bucketStream(BUCKETS.placements.name), {
    durable: 'scheduler-events',
    from: 'last',
    concurrency: 256,
  })
  decided(message: StoredMessage): Promise<Outcome> {
    return this.announce.handle(message);
  }
}
