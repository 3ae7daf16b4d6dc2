import { Module } from '@nestjs/common';
import { DatasetsController, DatasetsHearing } from './datasets.controller.js';
import { ApplyDocuments } from './handlers/apply-documents.js';
import { AskCopies } from './handlers/ask-copies.js';
import { AskDatasets } from './handlers/ask-datasets.js';
import { AskLogs } from './handlers/ask-logs.js';
import { AskObjects } from './handlers/ask-objects.js';
import { AskQuotas } from './handlers/ask-quotas.js';
import { HandleDeadLetters } from './handlers/dead-letters.js';
import { ReadEvents } from './handlers/read-events.js';
import { ReadLogs } from './handlers/read-logs.js';
import { AskHub } from './handlers/hub-health.js';
import { RunDoctor } from './handlers/run-doctor.js';
import { MakePlans } from './handlers/make-plans.js';
import { SendCommand } from './handlers/send-command.js';
import { ShowUpgrade } from './handlers/show-upgrade.js';
import { ReportSite } from './handlers/report-site.js';
import { SiteAdmin } from './handlers/site-admin.js';
import { SiteProposals } from './handlers/site-proposals.js';
import { ProveDataset } from './handlers/prove-dataset.js';
import { TellDatasetLag } from './handlers/tell-dataset-lag.js';
import { WatchStatus } from './handlers/watch-status.js';
import { WorkloadViews } from './handlers/workload-view.js';
import { HearingController } from './hearing.controller.js';
import { LogsController } from './logs.controller.js';
import { TraceInterceptor } from './http/request-trace.js';
import { Streams } from './http/streams.js';
import { TokenGuard } from './http/token.guard.js';
import { JoinEndpoint } from './join/join-endpoint.js';
import { JoinRequests } from './join/join-requests.js';
import { ObjectsController } from './objects.controller.js';
import { OperationsController } from './operations.controller.js';
import { PlansController } from './plans.controller.js';
import { QuotasController } from './quotas.controller.js';
import { SitesController } from './sites.controller.js';
import { DatasetsStore } from './stores/datasets.store.js';
import { FleetStore } from './stores/fleet.store.js';
import { LiveStatusStore } from './stores/live-status.store.js';
import { OutcomesStore } from './stores/outcomes.store.js';
import { PlansStore } from './stores/plans.store.js';
import { TokensStore } from './stores/tokens.store.js';
import { StreamsController } from './streams.controller.js';
import { WorkloadsController } from './workloads.controller.js';

@Module({
  controllers: [
    WorkloadsController,
    PlansController,
    StreamsController,
    SitesController,
    QuotasController,
    DatasetsController,
    DatasetsHearing,
    LogsController,
    ObjectsController,
    OperationsController,
    HearingController,
  ],
  providers: [
    TokensStore,
    OutcomesStore,
    FleetStore,
    LiveStatusStore,
    TokenGuard,
    TraceInterceptor,
    Streams,
    AskHub,
    AskQuotas,
    AskCopies,
    AskDatasets,
    ProveDataset,
    AskLogs,
    AskObjects,
    TellDatasetLag,
    DatasetsStore,
    SendCommand,
    ApplyDocuments,
    MakePlans,
    PlansStore,
    WorkloadViews,
    WatchStatus,
    ReadLogs,
    ReadEvents,
    SiteAdmin,
    SiteProposals,
    ReportSite,
    ShowUpgrade,
    JoinEndpoint,
    JoinRequests,
    HandleDeadLetters,
    RunDoctor,
  ],
})
export class ApiModule {}
