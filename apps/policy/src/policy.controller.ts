import { Controller, Inject } from '@nestjs/common';
import type { BucketChange, Message, Outcome, StoredMessage } from '@skerry/bus';
import {
  apiTokenSchema,
  BUCKETS,
  bucketStream,
  HUB,
  quotaSchema,
  RPC,
  siteSchema,
  workloadSchema,
  type Quota,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { OnChange, OnRequest, OnStored } from '@skerry/service';
import { AdmitHandler } from './handlers/admit.handler.js';
import { CommandHandler } from './handlers/command.handler.js';
import { CutOffHandler } from './handlers/cut-off.handler.js';
import { EventsHandler } from './handlers/events.handler.js';
import { JoinHandler } from './handlers/join.handler.js';
import { RenewHandler } from './handlers/renew.handler.js';
import { RetiredHandler } from './handlers/retired.handler.js';
import { TicketHandler } from './handlers/ticket.handler.js';
import { QuotasStore } from './stores/quotas.store.js';
import { SitesStore } from './stores/sites.store.js';

/** Retries of a command while its buckets cannot be written: it is not given up in the first ten minutes. */
const COMMAND_DELIVERIES = 200;
/** Events keep being tried: losing one would leave a hole in what people see. */
const EVENTS = { durable: 'policy-events', maxDeliveries: 200, concurrency: 256 };

@Controller()
export class PolicyController {
  constructor(
    @Inject(CommandHandler) private readonly commands: CommandHandler,
    @Inject(AdmitHandler) private readonly admission: AdmitHandler,
    @Inject(EventsHandler) private readonly events: EventsHandler,
    @Inject(TicketHandler) private readonly tickets: TicketHandler,
    @Inject(JoinHandler) private readonly joins: JoinHandler,
    @Inject(RenewHandler) private readonly renewals: RenewHandler,
    @Inject(CutOffHandler) private readonly cutOffs: CutOffHandler,
    @Inject(RetiredHandler) private readonly retired: RetiredHandler,
    @Inject(SitesStore) private readonly sites: SitesStore,
    @Inject(QuotasStore) private readonly quotas: QuotasStore,
  ) {}

  // ackWait is short so that what a killed instance held is taken up within seconds; it is extended while a handler runs.
  @OnStored('CMD', { durable: 'policy', maxDeliveries: COMMAND_DELIVERIES, ackWaitMs: 3_000 })
  command(message: StoredMessage): Promise<Outcome> {
    return this.commands.handle(message);
  }

  @OnRequest(RPC.admit)
  admit(message: Message): Promise<object> {
    return this.admission.handle(message);
  }
  @OnRequest(RPC.joinTicket)
  ticket(message: Message): Promise<object> {
    return this.tickets.handle(message);
  }
  @OnRequest(RPC.join)
  join(message: Message): Promise<object> {
    return this.joins.handle(message);
  }
  @OnRequest(RPC.renew)
  renew(message: Message): Promise<object> {
    return this.renewals.handle(message);
  }
  @OnRequest(RPC.cutOff)
  cutOff(message: Message): Promise<object> {
    return this.cutOffs.handle(message);
  }
  @OnRequest(HUB.retired)
  siteRetired(message: Message): Promise<object> {
    return this.retired.handle(message);
  }

  @OnChange(BUCKETS.siteSpecs, siteSchema)
  site(change: BucketChange<Site>): void {
    this.sites.hear(change);
  }
  @OnChange(BUCKETS.policies, quotaSchema)
  quota(change: BucketChange<Quota>): void {
    this.quotas.hearQuota(change);
  }
  @OnChange(BUCKETS.workloads, workloadSchema)
  workload(change: BucketChange<Workload>): void {
    this.quotas.hearWorkload(change);
  }

  @OnStored(bucketStream(BUCKETS.workloads.name), EVENTS)
  workloadEvent(message: StoredMessage): Promise<Outcome> {
    return this.events.workload(message);
  }
  @OnStored(bucketStream(BUCKETS.siteSpecs.name), EVENTS)
  siteEvent(message: StoredMessage): Promise<Outcome> {
    return this.events.site(message);
  }
  @OnStored(bucketStream(BUCKETS.outcomes.name), EVENTS)
  outcomeEvent(message: StoredMessage): Promise<Outcome> {
    return this.events.outcome(message);
  }
}
