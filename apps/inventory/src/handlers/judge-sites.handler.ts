import { Inject, Injectable } from '@nestjs/common';
import { Conflict, type Bus } from '@skerry/bus';
import { eventSubject, makeEvent, type SitePhase, type SiteState } from '@skerry/contracts';
import {
  beginLiveness,
  isNews,
  LIVENESS_TIMINGS,
  tickLiveness,
  type HeldBy,
  type Liveness,
  type LivenessTimings,
  type LivePhase,
} from '@skerry/domain';
import { BUS, CONFIG, JsonLog } from '@skerry/service';
import type { InventoryConfig } from '../config.js';
import { HeartbeatsStore } from '../stores/heartbeats.store.js';
import { SitesStore } from '../stores/sites.store.js';

/** Between two looks at who was heard. */
const TICK_MS = 250;
/** A process this young has had no time to hear everyone. */
const YOUNG_MS = 10_000;

/** The active instance's look at the sites: decides who is ready, suspect or lost, and writes what changed. */
@Injectable()
export class JudgeSites {
  private readonly timings: LivenessTimings;
  private liveness: Liveness | undefined;
  private timer: NodeJS.Timeout | undefined;
  private ticking: Promise<void> = Promise.resolve();
  private isActive: () => boolean = () => false;
  private epoch = 0;

  constructor(
    private readonly sites: SitesStore,
    private readonly heartbeats: HeartbeatsStore,
    @Inject(BUS) private readonly bus: Bus,
    @Inject(CONFIG) config: InventoryConfig,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {
    const { suspectAfterMs, lostAfterMs, regainGraceMs, lossWindowMs } = config;
    this.timings = {
      ...LIVENESS_TIMINGS,
      suspectAfterMs,
      lostAfterMs,
      regainGraceMs,
      lossWindowMs,
      brakeShare: config.brakePercent / 100,
      movesShareAMinute: config.movesPercent / 100,
      movesAMinute: config.movesLeast,
    };
  }

  start(epoch: number, isActive: () => boolean): void {
    this.epoch = epoch;
    this.isActive = isActive;
    const phases = new Map(
      this.sites.states().flatMap((s) => (isLive(s.phase) ? [[s.site, s.phase] as const] : [])),
    );
    const graceMs = process.uptime() * 1_000 < YOUNG_MS ? this.timings.regainGraceMs : 0;
    const now = performance.now();
    this.heartbeats.leases.begin(now, isActive);
    this.liveness = beginLiveness(now, phases, graceMs);
    this.schedule();
  }

  async stop(): Promise<void> {
    this.liveness = undefined;
    this.heartbeats.leases.end();
    clearTimeout(this.timer);
    await this.ticking;
  }

  /** One look; the next begins only when everything of this one is written. */
  private async tick(): Promise<void> {
    const before = this.liveness;
    if (before === undefined || !this.isActive()) return;
    const sites = this.sites.members();
    const input = {
      now: performance.now(),
      connected: this.bus.connected,
      sites,
      heard: this.heartbeats.heard(),
      replicas: this.sites.placedReplicas,
    };
    const { state, changes, holds, alarm } = tickLiveness(before, input, this.timings);
    // Before anything is written: what a site may still do is counted from its last lease.
    for (const { site, to } of changes) if (to === 'lost') this.heartbeats.leases.refuse(site);
    if (alarm !== undefined) await this.alarm(alarm);
    const phases = new Map(changes.map((c) => [c.site, c.to]));
    const held = new Set(holds.map((h) => h.site));
    const written = await Promise.all(
      sites.map((site) =>
        this.write(site, {
          phase: phases.get(site) ?? this.unrecorded(site, state),
          held: held.has(site),
          by: state.sites.get(site)?.held,
        }),
      ),
    );
    const missed = sites.filter((_site, i) => written[i] === false);
    // Stopped meanwhile: what it knew is no longer looked at.
    if (this.liveness === before) this.liveness = { ...state, sites: undo(state, before, missed) };
  }

  /** Its phase, when another is on record: a write that was not answered may have been stored all the same. */
  private unrecorded(site: string, { sites }: Liveness): LivePhase | undefined {
    const recorded = this.sites.state(site)?.phase;
    const phase = sites.get(site)?.phase;
    return recorded === undefined || recorded === phase ? undefined : phase;
  }

  /** Writes a site's state when its phase, what holds it, or what it told has changed. */
  private async write(site: string, judged: Judged): Promise<boolean> {
    const known = this.sites.state(site);
    const { phase } = judged;
    const facts = this.heartbeats.facts(site);
    const news = facts !== undefined && (known === undefined || isNews(known, facts));
    if (phase === undefined && !judged.held && !(news && known !== undefined)) return true;
    const next = this.next(site, judged, known);
    try {
      await this.sites.putState(next);
      if (next.phase !== 'lost') this.heartbeats.leases.admit(site);
      if (phase !== undefined) this.log.log(`site ${site} is ${phase}`);
      else if (judged.held)
        this.log.log(`site ${site} is ${next.phase}`, { held: next.held?.by ?? 'by nothing' });
      return true;
    } catch (error) {
      const why = error instanceof Conflict ? 'another instance was faster' : error;
      this.log.warn(`state of site ${site} not written`, why);
      return false;
    }
  }

  private next(site: string, { phase, held, by }: Judged, known: SiteState | undefined): SiteState {
    const at = new Date().toISOString();
    const facts = this.heartbeats.facts(site);
    const { held: heldBefore, silentMs, ...before } = known ?? unheard(site, at);
    const holding = held ? by && { by, since: at } : heldBefore;
    const is = phase ?? before.phase;
    // Above what leases were given for, also in a term of the hub whose backup knew of fewer.
    const counted = Math.max(this.heartbeats.leastLosses, before.losses ?? 0);
    const lost = phase === 'lost' ? { losses: counted + 1 } : {};
    return {
      ...before,
      ...facts,
      ...(facts === undefined ? {} : { lastHeartbeatAt: this.heardAt(site) }),
      ...(phase === undefined ? {} : { phase, since: at, revision: (known?.revision ?? 0) + 1 }),
      ...lost,
      ...this.silence(site, is, phase === undefined ? silentMs : undefined),
      ...(holding ? { held: holding } : {}),
    };
  }

  /** How long a suspect or lost site was not heard and got no lease, when it became so. */
  private silence(site: string, phase: SitePhase, since: number | undefined): Pick<SiteState, 'silentMs'> {
    if (phase !== 'suspect' && phase !== 'lost') return {};
    const now = performance.now();
    const last = Math.max(this.heartbeats.leases.lastGiven(site, now), this.heartbeats.at(site) ?? 0);
    return { silentMs: since ?? Math.max(0, Math.floor(now - last)) };
  }

  private heardAt(site: string): string {
    const agoMs = performance.now() - (this.heartbeats.at(site) ?? performance.now());
    return new Date(Date.now() - agoMs).toISOString();
  }

  private async alarm(why: string): Promise<void> {
    this.log.error(`alarm: ${why}`);
    const at = new Date().toISOString();
    const event = makeEvent({
      type: 'inventory.alarmed',
      name: 'inventory',
      version: `${this.epoch}.${Math.round(performance.now())}`,
      at,
      data: { why },
    });
    const subject = eventSubject('inventory.alarmed', 'inventory');
    await this.bus
      .publish(subject, event, { messageId: event.id })
      .catch((error: unknown) => this.log.error('alarm not stored', error));
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.ticking = this.tick()
        .catch((error: unknown) => this.log.error('looking at the sites failed', error))
        .then(() => {
          if (this.liveness !== undefined) this.schedule();
        });
    }, TICK_MS);
  }
}

interface Judged {
  /** Its new phase; undefined: as it was. */
  phase: LivePhase | undefined;
  /** What holds it is another from now on: `by`. */
  held: boolean;
  by: HeldBy | undefined;
}

function unheard(site: string, at: string): SiteState {
  return { kind: 'SiteState', site, phase: 'pending', since: at, revision: 1, ...HeartbeatsStore.nothing };
}

/** What could not be written is decided again: a phase counts once it is on record. */
function undo(now: Liveness, before: Liveness, sites: readonly string[]): Liveness['sites'] {
  const mended = new Map(now.sites);
  for (const site of sites) {
    const was = before.sites.get(site);
    if (was === undefined) mended.delete(site);
    else mended.set(site, was);
  }
  return mended;
}

function isLive(phase: SitePhase): phase is LivePhase {
  return phase !== 'left';
}
