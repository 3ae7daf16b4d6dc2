import { Controller } from '@nestjs/common';
import { HUB } from '@skerry/contracts';
import { OnPlain, type PlainMessage } from '@skerry/service';
import { CarryChunks } from './handlers/carry-chunks.handler.js';

/** What replicator hears of chunks of objects. Heard by all instances and answered by the active one. */
@Controller()
export class ChunksController {
  constructor(private readonly carry: CarryChunks) {}

  @OnPlain(HUB.chunkAsk)
  ask(message: PlainMessage): Promise<void> {
    return this.carry.ask(message);
  }

  @OnPlain(HUB.chunkPut)
  put(message: PlainMessage): Promise<void> {
    return this.carry.put(message);
  }

  @OnPlain(HUB.chunkGet)
  get(message: PlainMessage): Promise<void> {
    return this.carry.get(message);
  }
}
