import { Module } from '@nestjs/common';
import { Active } from './active.js';
import { AnswerDigest } from './handlers/answer-digest.handler.js';
import { Bury } from './handlers/bury.handler.js';
import { DeliverAccess } from './handlers/deliver-access.handler.js';
import { Deliver } from './handlers/deliver.handler.js';
import { HearReports } from './handlers/hear-reports.handler.js';
import { GuardDownlink } from './handlers/guard-downlink.handler.js';
import { TendSites } from './handlers/tend-sites.handler.js';
import { ReplicatorController } from './replicator.controller.js';
import { AccessRulesStore } from './stores/access-rules.store.js';
import { DeliveredStore } from './stores/delivered.store.js';
import { DownlinkStore } from './stores/downlink.store.js';
import { DurablesStore } from './stores/durables.store.js';
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

@Module({ controllers: [ReplicatorController], providers: [Active, Writers, ...HANDLERS, ...STORES] })
export class ReplicatorModule {}
