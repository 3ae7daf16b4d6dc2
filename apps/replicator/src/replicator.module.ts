import { Module } from '@nestjs/common';
import { Active } from './active.js';
import { AllDatasets } from './all-datasets.js';
import { ChosenLogs } from './chosen-logs.js';
import { ChunkWriters } from './chunk-writers.js';
import { ChunksController } from './chunks.controller.js';
import { CopiesController } from './copies.controller.js';
import { CopyWriters } from './copy-writers.js';
import { DatasetWriters } from './dataset-writers.js';
import { KeysController } from './keys.controller.js';
import { DatasetsController } from './datasets.controller.js';
import { AnswerDigest } from './handlers/answer-digest.handler.js';
import { Bury } from './handlers/bury.handler.js';
import { CentreLog } from './handlers/centre-log.handler.js';
import { CarryChunks } from './handlers/carry-chunks.handler.js';
import { AuditCopies } from './handlers/audit-copies.handler.js';
import { ChooseCopies } from './handlers/choose-copies.handler.js';
import { DeliverAccess } from './handlers/deliver-access.handler.js';
import { Deliver } from './handlers/deliver.handler.js';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { GiveEntries } from './handlers/give-entries.handler.js';
import { KeepHomes } from './handlers/keep-homes.handler.js';
import { KeepKeys } from './handlers/keep-keys.handler.js';
import { KeepLogKeys } from './handlers/keep-log-keys.handler.js';
import { HearReports } from './handlers/hear-reports.handler.js';
import { GuardDownlink } from './handlers/guard-downlink.handler.js';
import { SweepChunks } from './handlers/sweep-chunks.handler.js';
import { TakeEntries } from './handlers/take-entries.handler.js';
import { TakeRecords } from './handlers/take-records.handler.js';
import { TellLag } from './handlers/tell-lag.handler.js';
import { TendSites } from './handlers/tend-sites.handler.js';
import { TrimEntries } from './handlers/trim-entries.handler.js';
import { HomeWriters } from './home-writers.js';
import { HomesController } from './homes.controller.js';
import { LogWriters } from './log-writers.js';
import { LogsController } from './logs.controller.js';
import { ReplicatorController } from './replicator.controller.js';
import { AccessRulesStore } from './stores/access-rules.store.js';
import { ChunksStore } from './stores/chunks.store.js';
import { CopyAuditStore } from './stores/copy-audit.store.js';
import { CopySetsStore } from './stores/copy-sets.store.js';
import { CopyUsersStore } from './stores/copy-users.store.js';
import { CopiesStore } from './stores/copies.store.js';
import { WrappedKeysStore } from './stores/wrapped-keys.store.js';
import { DeliveredStore } from './stores/delivered.store.js';
import { DownlinkStore } from './stores/downlink.store.js';
import { DurablesStore } from './stores/durables.store.js';
import { EntriesStore } from './stores/entries.store.js';
import { HomeSignsStore } from './stores/home-signs.store.js';
import { HomesStore } from './stores/homes.store.js';
import { LogsStore } from './stores/logs.store.js';
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

/** What chooses where copies are, and writes down where they were. */
const CHOICE = [CopyWriters, ChooseCopies, CopySetsStore, CopyUsersStore, AuditCopies, CopyAuditStore];

/** What moves homes of datasets. */
const HOMES = [HomeWriters, KeepHomes, HomesStore, HomeSignsStore];

/** What carries keys of encrypted datasets. */
const KEYS = [KeepKeys, KeepLogKeys, WrappedKeysStore];

/** What carries chunks of objects. */
const OBJECTS = [ChunkWriters, ChunksStore, CarryChunks, SweepChunks];

/** What keeps logs. */
const LOGS = [
  AllDatasets,
  LogWriters,
  LogsStore,
  EntriesStore,
  TakeEntries,
  GiveEntries,
  ChosenLogs,
  TrimEntries,
  CentreLog,
];

@Module({
  controllers: [
    ReplicatorController,
    DatasetsController,
    CopiesController,
    KeysController,
    ChunksController,
    LogsController,
    HomesController,
  ],
  providers: [
    Active,
    Writers,
    ...HANDLERS,
    ...STORES,
    ...DATASETS,
    ...CHOICE,
    ...HOMES,
    ...KEYS,
    ...OBJECTS,
    ...LOGS,
  ],
})
export class ReplicatorModule {}
