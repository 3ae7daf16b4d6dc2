import { Module } from '@nestjs/common';
import { Active } from './active.js';
import { AnnouncePlacements } from './handlers/announce-placements.handler.js';
import { AnswerPlan } from './handlers/answer-plan.handler.js';
import { AnswerWhatIf } from './handlers/answer-what-if.handler.js';
import { AnswerWhy } from './handlers/answer-why.handler.js';
import { HearNews } from './handlers/hear-news.handler.js';
import { MoveWorkloads } from './handlers/move-workloads.handler.js';
import { PlaceWorkloads } from './handlers/place-workloads.handler.js';
import { ProposeMoves } from './handlers/propose-moves.js';
import { SchedulerController } from './scheduler.controller.js';
import { AgendaStore } from './stores/agenda.store.js';
import { DatasetsStore } from './stores/datasets.store.js';
import { DecisionHistoryStore } from './stores/decision-history.store.js';
import { DecisionLogStore } from './stores/decision-log.store.js';
import { HoldingsStore } from './stores/holdings.store.js';
import { HealthStore } from './stores/health.store.js';
import { PlacementsStore } from './stores/placements.store.js';
import { ReportsStore } from './stores/reports.store.js';
import { RefusalsStore } from './stores/refusals.store.js';
import { SitesStore } from './stores/sites.store.js';
import { SnapshotsStore } from './stores/snapshots.store.js';
import { SteadyClock } from './stores/steady-clock.js';
import { WorkloadsStore } from './stores/workloads.store.js';
import { World } from './stores/world.js';

const HANDLERS = [
  AnnouncePlacements,
  AnswerPlan,
  AnswerWhatIf,
  AnswerWhy,
  HearNews,
  MoveWorkloads,
  PlaceWorkloads,
  ProposeMoves,
];
const STORES = [
  AgendaStore,
  DatasetsStore,
  DecisionHistoryStore,
  DecisionLogStore,
  HealthStore,
  HoldingsStore,
  PlacementsStore,
  RefusalsStore,
  ReportsStore,
  SitesStore,
  SnapshotsStore,
  SteadyClock,
  WorkloadsStore,
  World,
];

@Module({ controllers: [SchedulerController], providers: [Active, ...HANDLERS, ...STORES] })
export class SchedulerModule {}
