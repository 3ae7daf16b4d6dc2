import { Controller, Inject } from '@nestjs/common';
import type { BucketChange, Message, Outcome, StoredMessage } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  quotaSchema,
  RPC,
  siteSchema,
  workloadSchema,
  type Quota,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { OnChange, OnRequest, OnStored } from '@skerry/service';
import { DecisionHandlers } from './handlers/decisions.js';
import { EventsHandler } from './handlers/events.handler.js';
import { HubHealthHandler } from './handlers/hub-health.handler.js';
import { MembershipHandlers } from './handlers/membership.js';
import { FollowedStores } from './stores/followed.js';

/** Retries of a command while its buckets cannot be written: it is not given up in the first ten minutes. */
const COMMAND_DELIVERIES = 200;
/** Events keep being tried: losing one would leave a hole in what people see. */
const EVENTS = { durable: 'policy-events', maxDeliveries: 200, concurrency: 256 };

@Controller()
export class PolicyController {
  constructor(
    @Inject(DecisionHandlers) private readonly decisions: DecisionHandlers,
    @Inject(HubHealthHandler) private readonly hubHealth: HubHealthHandler,
    @Inject(EventsHandler) private readonly events: EventsHandler,
    @Inject(MembershipHandlers) private readonly membership: MembershipHandlers,
    @Inject(FollowedStores) private readonly followed: FollowedStores,
  ) {}

  // ackWait is short so that what a killed instance held, or a lost server carried, is taken up at once; it is extended while a handler runs.
  @OnStored('CMD', { durable: 'policy', maxDeliveries: COMMAND_DELIVERIES, ackWaitMs: 1_000 })
  command(message: StoredMessage): Promise<Outcome> {
    return this.decisions.commands.handle(message);
  }

  @OnRequest(RPC.admit)
  admit(message: Message): Promise<object> {
    return this.decisions.trials.handle(message);
  }
  @OnRequest(RPC.quotas)
  quotas(message: Message): object {
    return this.decisions.quotas.handle(message);
  }
  @OnRequest(RPC.joinTicket)
  ticket(message: Message): Promise<object> {
    return this.membership.tickets.handle(message);
  }
  @OnRequest(RPC.join)
  join(message: Message): Promise<object> {
    return this.membership.joins.handle(message);
  }
  @OnRequest(RPC.renew)
  renew(message: Message): Promise<object> {
    return this.membership.renewals.handle(message);
  }
  @OnRequest(RPC.cutOff)
  cutOff(message: Message): Promise<object> {
    return this.membership.cutOffs.handle(message);
  }
  @OnRequest(RPC.hub)
  hub(): Promise<object> {
    return this.hubHealth.handle();
  }
  @OnRequest(RPC.retired)
  siteRetired(message: Message): Promise<object> {
    return this.membership.retired.handle(message);
  }

  @OnChange(BUCKETS.siteSpecs, siteSchema)
  site(change: BucketChange<Site>): void {
    this.followed.sites.hear(change);
  }
  @OnChange(BUCKETS.policies, quotaSchema)
  quota(change: BucketChange<Quota>): void {
    this.followed.quotas.hearQuota(change);
  }
  @OnChange(BUCKETS.workloads, workloadSchema)
  workload(change: BucketChange<Workload>): void {
    this.followed.quotas.hearWorkload(change);
    this.followed.datasets.hearWorkload(change);
  }

  @OnStored(bucketStream(BUCKETS.workloads.name), EVENTS)
  workloadEvent(message: StoredMessage): Promise<Outcome> {
    return this.events.workload(message);
  }
  @OnStored(bucketStream(BUCKETS.datasets.name), EVENTS)
  datasetEvent(message: StoredMessage): Promise<Outcome> {
    return this.events.dataset(message);
  }
  @OnStored(bucketStream(BUCKETS.siteSpecs.name), EVENTS)
  siteEvent(message: StoredMessage): Promise<Outcome> {
    return this.events.site(message);
  }
  @OnStored(bucketStream(BUCKETS.policies.name), EVENTS)
  quotaEvent(message: StoredMessage): Promise<Outcome> {
    return this.events.quota(message);
  }
  @OnStored(bucketStream(BUCKETS.outcomes.name), EVENTS)
  outcomeEvent(message: StoredMessage): Promise<Outcome> {
    return this.events.outcome(message);
  }
}
