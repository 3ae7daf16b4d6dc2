import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import { STREAMS } from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { Events, type Telling } from '../events.js';

/** A noun that is about to be written over. */
export interface Predecessor {
  telling: Telling;
  /** When it was written, ms. */
  at: number;
  /** Of the command that made it; 0: none did. */
  commandSequence: number;
}

/**
 * What is older has been told by its own; telling it again later than this could double it (`EVT` knows ids for an hour, and
 * clocks differ). Only who was away for longer than this leaves something untold.
 */
const TOLD_BY_THEN_MS = 55 * 60_000;

/**
 * What has to be done before a noun is written over, since what was there is gone then: its event is told; and the command that
 * made it is over, so that one whose instance died between commit and answer still finds what it has done when it is delivered
 * again.
 */
@Injectable()
export class Predecessors {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(Events) private readonly events: Events,
  ) {}

  /** Tells what may not have been told, and says whether every command behind it is over. */
  async areOver(all: readonly Predecessor[]): Promise<boolean> {
    const commands = [...new Set(all.map(({ commandSequence }) => commandSequence))].filter((s) => s > 0);
    const [waiting] = await Promise.all([
      Promise.all(commands.map((sequence) => this.bus.message(STREAMS.CMD.name, sequence))),
      this.tell(all),
    ]);
    return waiting.every((message) => message === undefined);
  }

  /** Tells what may not have been told. */
  async tell(all: readonly Pick<Predecessor, 'telling' | 'at'>[]): Promise<void> {
    const fresh = all.filter(({ at }) => Date.now() - at < TOLD_BY_THEN_MS);
    await Promise.all(fresh.map(({ telling }) => this.events.tellOnce(telling)));
  }
}
