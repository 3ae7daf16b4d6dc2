import { Controller } from '@nestjs/common';
import type { BucketChange, Message, Outcome, StoredMessage } from '@skerry/bus';
import {
  announcedSchema,
  BUCKETS,
  bucketStream,
  placementsValueSchema,
  RPC,
  siteStateSchema,
  STREAMS,
  workloadSchema,
  type Announced,
  type PlacementsValue,
  type SiteState,
  type Status,
  type StatusListAnswer,
  type Workload,
} from '@skerry/contracts';
import { OnChange, OnFollowed, OnRequest, OnStored } from '@skerry/service';
import { AnswerStatus } from './handlers/answer-status.handler.js';
import { Fold } from './handlers/fold.handler.js';
import { TellPhase } from './handlers/tell-phase.handler.js';
import { AnnouncedStore } from './stores/announced.store.js';
import { InputsStore } from './stores/inputs.store.js';

/** Every subject that telemetry hears. */
@Controller()
export class TelemetryController {
  constructor(
    private readonly inputs: InputsStore,
    private readonly announced: AnnouncedStore,
    private readonly fold: Fold,
    private readonly answerStatus: AnswerStatus,
    private readonly tellPhase: TellPhase,
  ) {}

  @OnChange(BUCKETS.workloads, workloadSchema)
  workload(change: BucketChange<Workload>): void {
    this.fold.soon(this.inputs.applyWorkload(change));
  }

  @OnChange(BUCKETS.placements, placementsValueSchema)
  placement(change: BucketChange<PlacementsValue>): void {
    this.fold.soon(this.inputs.applyPlacement(change));
  }

  @OnChange(BUCKETS.siteStates, siteStateSchema)
  siteState(change: BucketChange<SiteState>): void {
    this.fold.soon(this.inputs.applySiteState(change));
  }

  @OnFollowed(STREAMS.OBSERVED.name, { filters: ['observed.*.workload.>'] })
  report(message: StoredMessage): void {
    this.fold.soon(this.inputs.applyReport(message));
  }

  @OnChange(BUCKETS.status, announcedSchema)
  wasAnnounced(change: BucketChange<Announced>): void {
    this.announced.apply(change);
  }

  @OnRequest(RPC.status)
  status(message: Message): Promise<Status> {
    return this.answerStatus.one(message);
  }

  @OnRequest(RPC.statusList)
  statusList(message: Message): Promise<StatusListAnswer> {
    return this.answerStatus.list(message);
  }

  @OnStored(bucketStream(BUCKETS.status.name), { durable: 'telemetry-events', concurrency: 256 })
  phase(message: StoredMessage): Promise<Outcome> {
    return this.tellPhase.handle(message);
  }
}
