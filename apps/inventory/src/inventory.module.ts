import { Module } from '@nestjs/common';
import { AnnounceSites } from './handlers/announce-sites.handler.js';
import { ClearLeft } from './handlers/clear-left.handler.js';
import { FileNode } from './handlers/file-node.handler.js';
import { HearSite } from './handlers/hear-site.handler.js';
import { JudgeSites } from './handlers/judge-sites.handler.js';
import { SweepReports } from './handlers/sweep-reports.handler.js';
import { TakeReport } from './handlers/take-report.handler.js';
import { CutOff } from './handlers/cut-off.handler.js';
import { Active } from './active.js';
import { InventoryController } from './inventory.controller.js';
import { HeartbeatsStore } from './stores/heartbeats.store.js';
import { NodesStore } from './stores/nodes.store.js';
import { ReportsStore } from './stores/reports.store.js';
import { SendingStore } from './stores/sending.store.js';
import { SitesStore } from './stores/sites.store.js';

const HANDLERS = [AnnounceSites, ClearLeft, CutOff, FileNode, HearSite, JudgeSites, SweepReports, TakeReport];
const STORES = [HeartbeatsStore, NodesStore, ReportsStore, SendingStore, SitesStore];

@Module({ controllers: [InventoryController], providers: [Active, ...HANDLERS, ...STORES] })
export class InventoryModule {}
