import { Inject, Injectable } from '@nestjs/common';
import { context } from '@opentelemetry/api';
import { Conflict, traceOf, type Headers } from '@skerry/bus';
import type { Placement, Workload } from '@skerry/contracts';
import { nextPlacement, reviewAt, type NextPlacementInput } from '@skerry/domain';
import { carriedOn, CONFIG, JsonLog, spanned } from '@skerry/service';
import type { SchedulerConfig } from '../config.js';
import { AgendaStore } from '../stores/agenda.store.js';
import { DecisionLogStore } from '../stores/decision-log.store.js';
import { keyOf } from '../stores/workloads.store.js';
import { World } from '../stores/world.js';
import { asItRuns, gathersUntil } from './as-it-runs.js';
import { changeOf } from './change-of.js';
import type { PlanItem } from './plan-of.js';
import { Trial } from './trial.js';

/** Commits that may be on their way at once. */
const IN_FLIGHT_MAX = 256;
/** Milliseconds of deciding before what has come in meanwhile is heard. */
const TURN_MS = 8;
/** How long a takeover may take to see all that earlier instances have committed. */
const TAKEOVER_MS = 10_000;
const RETRY_MS = 250;
const RETRY_MAX_MS = 5_000;
/** A decision that broke an invariant is a bug: it is not made again at once. */
const BROKEN_AGAIN_MS = 30_000;

/** The active instance's work: looks at every workload on the agenda, decides, and commits by the fence. */
@Injectable()
export class PlaceWorkloads {
  private fence: number | undefined;
  private isActive: () => boolean = () => false;
  private scheduled = false;
  private readonly inFlight = new Map<string, Promise<void>>();
  /** Came up while their last commit was on its way. */
  private readonly passedOver = new Set<string>();

  constructor(
    private readonly world: World,
    private readonly agenda: AgendaStore,
    private readonly history: DecisionLogStore,
    @Inject(CONFIG) private readonly config: SchedulerConfig,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** Takes over: fences earlier instances off, learns all they have committed, then looks at every workload. */
  async start(isActive: () => boolean): Promise<void> {
    this.isActive = isActive;
    this.fence = await this.world.placements.takeOver(this.config, TAKEOVER_MS);
    this.history.begin(this.fence, this.world.ledger);
    const priorityOf = (key: string) => this.world.workloads.get(key)?.workload.spec.placement.priority ?? 0;
    this.agenda.open(() => this.pump(), priorityOf);
    for (const key of this.world.workloads.keys()) this.agenda.soon(key);
  }

  /**
   * Moves workloads to given sites, all of them or none: none when one of the decisions does not hold any more, or when one of
   * the workloads is being committed.
   */
  move(items: readonly PlanItem[]): boolean {
    const { fence } = this;
    if (fence === undefined || !this.isActive() || !this.wouldMove(items)) return false;
    for (const item of items) this.look(keyOf(item), fence, givenIn(item));
    return true;
  }

  private wouldMove(items: readonly PlanItem[]): boolean {
    const on = {
      snapshot: this.world.snapshot(),
      now: this.world.clock.now(),
      term: this.world.placements.term(this.config.hubTerm),
    };
    const trial = new Trial(this.world, on);
    try {
      return items.every((item) => {
        const workload = this.world.workloads.get(keyOf(item))?.workload;
        if (!workload || this.inFlight.has(keyOf(item))) return false;
        const { placement } = trial.decide({ workload, change: item.change, given: givenIn(item) });
        return sameSites(placement, item.placement);
      });
    } catch (error) {
      // What was given breaks an invariant by now.
      this.log.warn('moves do not hold any more', error);
      return false;
    } finally {
      trial.undo();
    }
  }

  /** Decides nothing more; resolves when every commit on its way was answered. */
  async stop(): Promise<void> {
    this.isActive = () => false;
    this.leave();
    await Promise.all(this.inFlight.values());
    await this.history.written();
  }

  private leave(): void {
    this.fence = undefined;
    this.history.end();
    this.agenda.close();
    // What was not seen committed may not have been: the ledger goes back to what is known.
    for (const key of this.world.placements.forgetSent()) this.world.settle(key);
  }

  private pump(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.turn();
    });
  }

  private turn(): void {
    const end = performance.now() + TURN_MS;
    while (this.fence !== undefined && this.isActive() && this.inFlight.size < IN_FLIGHT_MAX) {
      const key = this.agenda.next();
      if (key === undefined) return;
      // Two commits of one key on their way could arrive in the wrong order when one is sent again.
      if (this.inFlight.has(key)) this.passedOver.add(key);
      else this.look(key, this.fence);
      if (performance.now() > end) {
        this.pump();
        return;
      }
    }
  }

  private look(key: string, fence: number, given?: ReadonlyMap<string, number>): void {
    const known = this.world.workloads.get(key);
    if (!known) return;
    const now = this.world.clock.now();
    const placed = this.inputFor(known.workload, now, fence);
    const gathering = gathersUntil(placed);
    if (gathering > now) return this.agenda.at(key, gathering);
    const input = given ? { ...placed, given } : asItRuns(placed);
    let next: Placement | undefined;
    try {
      next = nextPlacement(input);
    } catch (error) {
      this.log.error(`no decision for ${key}`, error);
      this.agenda.at(key, now + BROKEN_AGAIN_MS);
      return;
    }
    this.note(known.workload, next ?? input.previous, now);
    if (!next) return;
    this.record(input, next);
    this.world.placements.send(next);
    this.world.replaces(input.previous, next);
    if (this.world.settle(key, true)) this.agenda.mayHelp();
    for (const victim of this.world.giveWay(next)) this.agenda.soon(victim);
    // As it runs it lacks some: the rest is chosen once that is committed.
    if (!given && input.given && next.state === 'partial') this.passedOver.add(key);
    // Those that want to be near to it or apart from it.
    for (const other of this.world.workloads.mindful(key)) this.agenda.soon(other);
    const fresh = input.previous?.version.generation !== next.version.generation;
    // A decision that a site or a refusal made necessary is no part of the trace of the apply.
    const headers = fresh ? known.headers : {};
    const committed = this.commit(next, fence, changeOf(input.previous, next), headers);
    this.inFlight.set(
      key,
      committed.finally(() => this.landed(key)),
    );
  }

  private inputFor(workload: Workload, now: number, epoch: number): NextPlacementInput {
    const input = this.world.inputFor(workload, now);
    const inputs = () => {
      const log = this.history.position();
      return { ...input.inputs(), ...(log === undefined ? {} : { log }) };
    };
    return { ...input, inputs, term: this.world.placements.term(this.config.hubTerm), epoch };
  }

  /** At the position that its inputs name: nothing was logged in between. */
  private record(input: NextPlacementInput, placement: Placement): void {
    const { workload, previous, refusals, healthy, projectBudgetLeft, data, given, now } = input;
    const before = previous?.inputs.log;
    this.history.decided(
      {
        placement,
        now,
        refusals: Object.fromEntries(refusals),
        ...(previous ? { previous } : {}),
        ...(healthy ? { healthy: Object.fromEntries(healthy) } : {}),
        ...(projectBudgetLeft === undefined ? {} : { projectBudgetLeft }),
        ...(data ? { data: [...data] } : {}),
        ...(given ? { given: [...given].map(([site, replicas]) => ({ site, replicas })) } : {}),
        ...(before === undefined ? {} : { before }),
      },
      workload,
    );
  }

  private note(workload: Workload, placement: Placement | undefined, now: number): void {
    const key = keyOf(workload);
    const lacks = placement?.state === 'partial' || placement?.state === 'unplaceable';
    // Every site that comes may be one that a daemon matches.
    this.agenda.lacking(key, lacks || workload.spec.type === 'daemon');
    const used = [...(placement?.shares ?? []), ...(placement?.after ?? []).map((site) => ({ site }))];
    const review = reviewAt(workload, used, this.world.snapshot(), now);
    const retry = lacks ? this.world.reports.refusals.nextUntil(key, now) : Number.POSITIVE_INFINITY;
    this.agenda.at(key, Math.min(review, retry));
  }

  private landed(key: string): void {
    this.inFlight.delete(key);
    if (this.passedOver.delete(key)) this.agenda.soon(key);
    this.pump();
  }

  private async commit(placement: Placement, fence: number, change: string, headers: Headers): Promise<void> {
    const key = keyOf(placement);
    const attributes = { 'skerry.workload': key, 'skerry.placement': placement.state };
    const write = () => this.world.placements.commit(placement, fence, change, carriedOn(headers));
    for (let wait = RETRY_MS; ; wait = Math.min(RETRY_MAX_MS, wait * 2)) {
      try {
        await context.with(traceOf(headers), () => spanned('place workload', attributes, write));
        return;
      } catch (error) {
        if (error instanceof Conflict) return this.fencedOff(fence);
        if (this.fence !== fence || !this.isActive()) return;
        this.log.warn(`placement of ${key} not committed, trying again`, error);
        await new Promise((resolve) => setTimeout(resolve, wait));
        // The same again is safe: whoever reads it compares versions.
        if (this.fence !== fence || !this.isActive()) return;
      }
    }
  }

  /** Another instance may write now. Should the lease be held here all the same, it takes over again. */
  private fencedOff(fence: number): void {
    if (this.fence !== fence) return;
    this.log.warn('another instance has taken over', { fence });
    this.leave();
    setTimeout(() => this.again(), RETRY_MAX_MS / 5).unref();
  }

  private again(): void {
    if (!this.isActive() || this.fence !== undefined) return;
    this.start(this.isActive).catch((error: unknown) => {
      this.log.warn('taking over again failed', error);
      setTimeout(() => this.again(), RETRY_MAX_MS / 5).unref();
    });
  }
}

function givenIn({ placement }: PlanItem): ReadonlyMap<string, number> {
  return new Map(placement.shares.map((s) => [s.site, s.replicas]));
}

function sameSites(a: Placement, b: Placement): boolean {
  const where = ({ shares }: Placement) => shares.map((s) => `${s.site} ${s.replicas}`).join();
  return where(a) === where(b);
}
