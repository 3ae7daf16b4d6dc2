import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { context, type Context } from '@opentelemetry/api';
import type { Bus } from '@skerry/bus';
import { liveStatusSubject, type Status } from '@skerry/contracts';
import { foldStatus } from '@skerry/domain';
import { BUS, JsonLog } from '@skerry/service';
import { InputsStore } from '../stores/inputs.store.js';
import { READ_MODEL, type ReadModel, type ReadModelChange } from '../stores/read-model.js';
import { withFewReplicas } from '../trim.js';
import { Announce } from './announce.handler.js';

/** Changes within this time are folded together. */
const COALESCE_MS = 50;
/** Replicas a site in what is said live: those who want all ask. */
const LIVE_REPLICAS = 32;
/** Between two looks whether a shared read model was emptied. */
const MARK_EVERY_MS = 2_000;

/**
 * Folds what has changed into the read model. The active instance does so 50 ms after a change, and says it; another one
 * folds when it is asked, unless the read model is shared.
 */
@Injectable()
export class Fold implements OnModuleDestroy {
  private readonly dirty = new Map<string, Context>();
  private timer: NodeJS.Timeout | undefined;
  private marking: NodeJS.Timeout | undefined;
  private folding: Promise<void> = Promise.resolve();
  private epoch: number | undefined;

  constructor(
    private readonly inputs: InputsStore,
    private readonly announce: Announce,
    @Inject(READ_MODEL) private readonly model: ReadModel,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** This instance is active: everything is folded anew, since another one did so until now. */
  async start(epoch: number): Promise<void> {
    this.epoch = epoch;
    this.announce.start();
    await this.refill();
    this.marking = setInterval(() => void this.refillIfEmptied(), MARK_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.epoch = undefined;
    clearInterval(this.marking);
    await Promise.all([this.folding, this.announce.stop()]);
  }

  soon(keys: readonly string[]): void {
    for (const key of keys) this.dirty.set(key, context.active());
    if (this.dirty.size === 0 || this.epoch === undefined || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.flush();
    }, COALESCE_MS);
  }

  /** Folds everything that has changed; the read model is as new as what was heard. */
  flush(): Promise<void> {
    this.folding = this.folding.then(() => this.fold());
    return this.folding;
  }

  /** The status as it is now, past the read model; undefined when there is no such workload. */
  now(key: string): Status | undefined {
    const input = this.inputs.of(key, new Date().toISOString());
    return input === undefined ? undefined : foldStatus(input);
  }

  keys(): string[] {
    return this.inputs.keys();
  }

  private async fold(): Promise<void> {
    const taken = [...this.dirty];
    if (taken.length === 0) return;
    this.dirty.clear();
    const folded = taken.map(([key, trace]) => ({ key, trace, status: this.now(key) }));
    try {
      await this.model.write(folded.map(kept));
    } catch (error) {
      this.log.warn('read model not written, trying again', error);
      for (const [key, trace] of taken) if (!this.dirty.has(key)) this.dirty.set(key, trace);
      this.soon([]);
    }
    if (this.epoch === undefined) return;
    for (const { key, trace, status } of folded) {
      if (status !== undefined) context.with(trace, () => this.tell(key, status));
    }
  }

  private tell(key: string, status: Status): void {
    const { project, name } = status;
    this.bus.say(liveStatusSubject(project, name), withFewReplicas(status, LIVE_REPLICAS));
    this.announce.soon(key, status);
  }

  /** Fills the read model from what is known, and takes out what is not. */
  private async refill(): Promise<void> {
    const known = new Set(this.inputs.keys());
    for (const key of known) this.dirty.set(key, context.active());
    await this.flush();
    try {
      const stale = (await this.model.keys()).filter((key) => !known.has(key));
      await this.model.write(stale.map((key) => ({ key, status: undefined })));
      if (this.epoch !== undefined) await this.model.mark(this.epoch);
    } catch (error) {
      this.log.warn('read model not filled, trying again', error);
    }
  }

  private async refillIfEmptied(): Promise<void> {
    try {
      if ((await this.model.marked()) !== this.epoch) await this.refill();
    } catch (error) {
      this.log.debug('read model not looked at', error);
    }
  }

  async onModuleDestroy(): Promise<void> {
    clearTimeout(this.timer);
    await this.model.close();
  }
}

/** What of a workload stays in the read model: nothing once it is removed. */
function kept({ key, status }: { key: string; status: Status | undefined }): ReadModelChange {
  return status === undefined || status.phase === 'removed' ? { key, status: undefined } : { key, status };
}
