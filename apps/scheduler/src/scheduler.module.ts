import { Module } from '@nestjs/common';
import { Active } from './active.js';
import { AnnouncePlacements } from './handlers/announce-placements.handler.js';
import { AnswerPlan } from './handlers/answer-plan.handler.js';
import { AnswerWhy } from './handlers/answer-why.handler.js';
import { HearNews } from './handlers/hear-news.handler.js';
import { PlaceWorkloads } from './handlers/place-workloads.handler.js';
import { SchedulerController } from './scheduler.controller.js';
import { AgendaStore } from './stores/agenda.store.js';
import { PlacementsStore } from './stores/placements.store.js';
import { RefusalsStore } from './stores/refusals.store.js';
import { SitesStore } from './stores/sites.store.js';
import { WorkloadsStore } from './stores/workloads.store.js';
import { World } from './stores/world.js';

const HANDLERS = [AnnouncePlacements, AnswerPlan, AnswerWhy, HearNews, PlaceWorkloads];
const STORES = [AgendaStore, PlacementsStore, RefusalsStore, SitesStore, WorkloadsStore, World];

@Module({ controllers: [SchedulerController], providers: [Active, ...HANDLERS, ...STORES] })
export class SchedulerModule {}
