import { setTimeout } from 'node:timers/promises';
import type { Bus, Lease } from '@skerry/bus';
import type { JsonLog } from './json-log.js';
import type { Readiness } from './readiness.js';

/** Work that only one instance may do at a time. */
export interface RoleWork {
  /**
   * Called when the lease is held. `epoch` fences what is written. A throw is tried again every second while it is held, with no
   * `stop` between: it begins in the place of what it had begun.
   */
  start(epoch: number): void | Promise<void>;
  /**
   * Called when it is lost or given back: stop at once, nothing of it may be written any more. May come while `start` runs; then it
   * is called once more when that has ended.
   */
  stop(): void | Promise<void>;
}

export interface RoleOptions {
  /** Whole seconds in milliseconds, at least 2,000. Default 2,000. */
  ttlMs?: number;
}

const RETRY_MS = 1_000;
/** How long who begins to act waits for what it cannot hear, ms: while a hub elects nothing is written that it could miss. */
const KNOWS_WITHIN_MS = 1_000;
/** Waits until everything is heard that there is by now, so many ms at most; fails when it was not. */
type Knows = (withinMs: number) => Promise<void>;

/** A lease with the work that goes with it. */
export class ActiveRole {
  private readonly lease: Lease;
  private working = false;
  private ending = false;
  private stopping: Promise<void> = Promise.resolve();

  constructor(
    readonly name: string,
    private readonly work: RoleWork,
    private readonly at: { bus: Bus; holder: string; log: JsonLog; knows: Knows },
    options: RoleOptions = {},
  ) {
    this.lease = at.bus.lease(name, at.holder, { ttlMs: options.ttlMs ?? 2_000 });
  }

  /** The epoch while this instance may act, else undefined; judged by the monotonic clock at each call. */
  get epoch(): number | undefined {
    return this.working ? this.lease.epoch : undefined;
  }

  run(): void {
    this.lease.run({ onAcquired: (epoch) => this.begin(epoch), onLost: () => this.stop('lost') });
  }

  private async begin(epoch: number): Promise<void> {
    if (this.ending) return;
    this.at.log.log(`holds lease ${this.name}`, { epoch });
    await this.hearAll();
    if (this.ending || this.lease.epoch !== epoch) return;
    this.working = true;
    // A holder that does not work would keep everyone else from working: it tries until it can or has lost the lease.
    while (this.epoch === epoch && !(await this.started(epoch))) await setTimeout(RETRY_MS);
    // Stopped while it was starting: what began after that would go on without the lease.
    if (!this.working) await this.stopAgain();
  }

  /** One that stood still for a while has its lease back before what it has missed. */
  private async hearAll(): Promise<void> {
    const late = setTimeout(KNOWS_WITHIN_MS, 'late', { ref: false });
    const all = this.at.knows(KNOWS_WITHIN_MS).catch(() => 'late');
    if ((await Promise.race([all, late])) === 'late')
      this.at.log.warn(`the work of lease ${this.name} begins before all is heard that lies at the hub`);
  }

  private async started(epoch: number): Promise<boolean> {
    try {
      await this.work.start(epoch);
      return true;
    } catch (error) {
      this.at.log.error(`starting the work of lease ${this.name} failed`, error);
      return false;
    }
  }

  private async stop(why: 'lost' | 'released'): Promise<void> {
    if (!this.working) return;
    this.working = false;
    this.at.log.log(`no longer holds lease ${this.name}`, { why });
    this.stopping = Promise.resolve(this.work.stop());
    await this.stopping;
  }

  private async stopAgain(): Promise<void> {
    // Who waits for the first stop hears of its failure.
    await this.stopping.catch(() => undefined);
    await this.work.stop();
  }

  /** Stops the work, then gives the lease back so that another takes over without waiting. */
  async release(): Promise<void> {
    this.ending = true;
    await this.stop('released');
    await this.lease.release();
  }
}

/** The roles of a service: given back in the drain before the bus is closed. Inject it. */
export class Roles {
  private readonly held: ActiveRole[] = [];
  private trying = false;
  private knows: Knows = async () => undefined;

  constructor(
    private readonly at: { bus: Bus; holder: string; log: JsonLog },
    private readonly readiness: Readiness,
  ) {}

  /** Tries for the lease for ever, as soon as the service has caught up with all that it follows: who acts must know. */
  hold(name: string, work: RoleWork, options: RoleOptions = {}): ActiveRole {
    const knows: Knows = async (withinMs) => await this.knows(withinMs);
    const role = new ActiveRole(name, work, { ...this.at, knows }, options);
    this.held.push(role);
    this.readiness.role(name, () => role.epoch);
    if (this.trying) role.run();
    return role;
  }

  /** Called once, when the service has caught up. `knows`: waits until it has again, before any work begins. */
  begin(knows: Knows): void {
    this.trying = true;
    this.knows = knows;
    for (const role of this.held) role.run();
  }

  async releaseAll(): Promise<void> {
    await Promise.all(this.held.splice(0).map((role) => role.release()));
  }
}
