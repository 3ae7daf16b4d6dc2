import { Inject, Injectable } from '@nestjs/common';
import { context, type Context } from '@opentelemetry/api';
import { Conflict, StorageFull } from '@skerry/bus';
import { differences, type DesiredWrite } from '@skerry/domain';
import { JsonLog, spanned } from '@skerry/service';
import { DeliveredStore } from '../stores/delivered.store.js';
import { DownlinkStore } from '../stores/downlink.store.js';
import { ReportedStore } from '../stores/reported.store.js';
import { WantedStore } from '../stores/wanted.store.js';

/** Workloads whose writes are under way at once. */
const WINDOW = 256;
/** Before a workload is looked at again whose writes did not all succeed. */
const RETRY_MS = 100;
const FULL_RETRY_MS = 2_000;

/** Brings what lies in `DL` to what the placements want, workload by workload: only what changed, and each in order. */
@Injectable()
export class Deliver {
  /** Workloads to look at, with the trace of whoever changed them. */
  private readonly dirty = new Map<string, Context>();
  private readonly busy = new Map<string, Promise<void>>();
  private active = false;

  constructor(
    private readonly wanted: WantedStore,
    private readonly delivered: DeliveredStore,
    private readonly downlink: DownlinkStore,
    private readonly reported: ReportedStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** Looks at everything there is, then at what changes. */
  start(): void {
    this.active = true;
    for (const key of this.wanted.keys()) this.dirty.set(key, context.active());
    this.pump();
  }

  async stop(): Promise<void> {
    this.active = false;
    this.dirty.clear();
    await Promise.all(this.busy.values());
  }

  soon(key: string): void {
    if (!this.active) return;
    this.dirty.set(key, context.active());
    this.pump();
  }

  /** Runs `work` on what lies in `DL` of one workload while nothing else writes it. */
  async alone(key: string, work: () => Promise<void>): Promise<void> {
    while (this.busy.has(key)) await this.busy.get(key);
    if (this.active) await this.hold(key, work);
  }

  private pump(): void {
    for (const [key, trace] of this.dirty) {
      if (!this.active || this.busy.size >= WINDOW) return;
      if (this.busy.has(key)) continue;
      this.dirty.delete(key);
      void this.hold(key, () => context.with(trace, () => this.bring(key)));
    }
  }

  private hold(key: string, work: () => Promise<void>): Promise<void> {
    const working = work()
      .catch((error: unknown) => this.again(key, error))
      .finally(() => {
        this.busy.delete(key);
        this.pump();
      });
    this.busy.set(key, working);
    return working;
  }

  private async bring(key: string): Promise<void> {
    const placement = this.wanted.placement(key);
    if (placement === undefined) return;
    const unknown = placement.after?.filter((site) => !this.delivered.ofWorkload(key).has(site)) ?? [];
    const holding = await this.reported.holding(key, unknown);
    const writes = differences({
      placement,
      holding,
      workload: this.wanted.workload(key),
      delivered: this.delivered.ofWorkload(key),
      mayReceive: (site) => this.wanted.mayReceive(site),
      at: new Date().toISOString(),
    });
    if (writes === undefined || writes.length === 0) return;
    await spanned('deliver', { 'skerry.workload': key, 'skerry.sites': writes.length }, async () => {
      const results = await Promise.allSettled(writes.map(async (write) => await this.put(key, write)));
      const failed = results.find((r) => r.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    });
  }

  /** A deletion whose answer was lost with the hub has happened or not: of what is not there any more that is known from now on. */
  private async put(key: string, { object, expected }: DesiredWrite): Promise<void> {
    try {
      await this.downlink.put(object, expected);
    } catch (error) {
      if (error instanceof Conflict && expected > 0 && !(await this.downlink.holds(expected)))
        this.delivered.forget(key, object.site, expected);
      throw error;
    }
  }

  private again(key: string, error: unknown): void {
    if (!this.active) return;
    // After a conflict the follow of DL is about to bring what another instance wrote.
    if (!(error instanceof Conflict)) this.log.warn(`${key} not delivered, trying again`, error);
    const trace = context.active();
    setTimeout(
      () => {
        if (!this.active) return;
        if (!this.dirty.has(key)) this.dirty.set(key, trace);
        this.pump();
      },
      error instanceof StorageFull ? FULL_RETRY_MS : RETRY_MS,
    ).unref();
  }
}
