import { Module } from '@nestjs/common';
import { Active } from './active.js';
import { DatasetWriters } from './dataset-writers.js';
import { DatasetsController } from './datasets.controller.js';
import { AnswerDigest } from './handlers/answer-digest.handler.js';
import { Bury } from './handlers/bury.handler.js';
import { DeliverAccess } from './handlers/deliver-access.handler.js';
import { Deliver } from './handlers/deliver.handler.js';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { HearReports } from './handlers/hear-reports.handler.js';
import { GuardDownlink } from './handlers/guard-downlink.handler.js';
import { TakeRecords } from './handlers/take-records.handler.js';
import { TellLag } from './handlers/tell-lag.handler.js';
import { TendSites } from './handlers/tend-sites.handler.js';
import { ReplicatorController } from './replicator.controller.js';
import { AccessRulesStore } from './stores/access-rules.store.js';
import { CopiesStore } from './stores/copies.store.js';
import { DeliveredStore } from './stores/delivered.store.js';
import { DownlinkStore } from './stores/downlink.store.js';
import { DurablesStore } from './stores/durables.store.js';
import { RecordsStore } from './stores/records.store.js';
import { ReportedStore } from './stores/reported.store.js';
import { SiteStores } from './stores/site-stores.js';
import { WantedStore } from './stores/wanted.store.js';
import { Writers } from './writers.js';

const HANDLERS = [AnswerDigest, Bury, Deliver, DeliverAccess, HearReports, GuardDownlink, TendSites];
const STORES = [
  AccessRulesStore,
  DeliveredStore,
  DownlinkStore,
  DurablesStore,
  ReportedStore,
  SiteStores,
  WantedStore,
];
/** What keeps datasets in step. */
const DATASETS = [DatasetWriters, CopiesStore, RecordsStore, GiveCopies, TakeRecords, TellLag];

@Module({
  controllers: [ReplicatorController, DatasetsController],
  providers: [Active, Writers, ...HANDLERS, ...STORES, ...DATASETS],
})
export class ReplicatorModule {}
