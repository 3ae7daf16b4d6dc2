import { Module } from '@nestjs/common';
import { CONFIG, JsonLog } from '@skerry/service';
import { Active } from './active.js';
import type { TelemetryConfig } from './config.js';
import { Announce } from './handlers/announce.handler.js';
import { AnswerStatus } from './handlers/answer-status.handler.js';
import { Fold } from './handlers/fold.handler.js';
import { TellPhase } from './handlers/tell-phase.handler.js';
import { AnnouncedStore } from './stores/announced.store.js';
import { InputsStore } from './stores/inputs.store.js';
import { MemoryReadModel } from './stores/memory-read-model.store.js';
import { READ_MODEL, type ReadModel } from './stores/read-model.js';
import { RedisReadModel } from './stores/redis-read-model.store.js';
import { TelemetryController } from './telemetry.controller.js';

const HANDLERS = [Announce, AnswerStatus, Fold, TellPhase];
const STORES = [AnnouncedStore, InputsStore];

const readModel = {
  provide: READ_MODEL,
  inject: [CONFIG, JsonLog],
  useFactory: ({ redisUrl, redisPrefix }: TelemetryConfig, log: JsonLog): ReadModel =>
    redisUrl === undefined
      ? new MemoryReadModel()
      : new RedisReadModel(redisUrl, redisPrefix, (why) => log.warn(why)),
};

@Module({ controllers: [TelemetryController], providers: [Active, readModel, ...HANDLERS, ...STORES] })
export class TelemetryModule {}
