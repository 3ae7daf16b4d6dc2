import type { SitePhase, SiteState } from '@skerry/contracts';
import { LIVENESS_TIMINGS, type LivenessTimings } from './timings.js';

/** The phases a site that has joined can be in. */
export type LivePhase = Exclude<SitePhase, 'left'>;

/** Why a site is not what its silence, or its being heard, would make it. */
export type HeldBy = NonNullable<SiteState['held']>['by'];

/** What is remembered of one site between two ticks. */
export interface SiteLiveness {
  readonly phase: LivePhase;
  /** Since when it has been heard without a pause; absent while it is silent. */
  readonly steadySince?: number;
  /** When it left `ready`, within the last `flapWindowMs`. */
  readonly leftReadyAt: readonly number[];
  readonly lostAt?: number;
  /** When it was lost, within the last `lossWindowMs`. */
  readonly losses: readonly number[];
  readonly held?: HeldBy;
}

/** What failure detection remembers between two ticks. */
export interface Liveness {
  /** Silence before this does not count: we were not connected, not running, or suspected ourselves. */
  readonly hearingSince: number;
  readonly tickedAt: number;
  readonly connected: boolean;
  /** Since when nothing is moved; absent: judging as usual. */
  readonly brakedSince?: number;
  /** How many replicas may still be moved at `tickedAt`; below 0 after a site with more. Absent: as many as may be in a minute. */
  readonly movesLeft?: number;
  readonly sites: ReadonlyMap<string, SiteLiveness>;
}

export interface LivenessInput {
  /** Monotonic milliseconds. */
  now: number;
  /** Whether our own connection to the bus is up. */
  connected: boolean;
  /** Sites that are members and have joined. */
  sites: readonly string[];
  /** When each site was heard last, by the same clock as `now`. */
  heard: ReadonlyMap<string, number>;
  /** Replicas placed at each site; absent: none, and no bound on moves. */
  replicas?: ReadonlyMap<string, number>;
}

export interface LivenessChange {
  site: string;
  from: LivePhase;
  to: LivePhase;
}

export interface LivenessResult {
  state: Liveness;
  changes: LivenessChange[];
  /** Sites that are held from now on, or no longer. */
  holds: { site: string; by: HeldBy | undefined }[];
  /** Set by the tick that pulls the brake: why nothing is moved from now on. */
  alarm?: string;
}

/**
 * A fresh start, or a takeover from another instance: every site keeps its phase and gets a new period of grace,
 * since nobody may have listened in between. `graceMs` lengthens it (at a cold start the sites start too).
 */
export function beginLiveness(now: number, phases: ReadonlyMap<string, LivePhase>, graceMs = 0): Liveness {
  const sites = new Map([...phases].map(([site, phase]) => [site, { phase, leftReadyAt: [], losses: [] }]));
  return { hearingSince: now + graceMs, tickedAt: now, connected: true, sites };
}

/**
 * One look at who was heard. Silence counts only while we were connected and running, and only while we hear
 * others: when more than half of the sites (and at least two) vanish at once, the fault is taken to be ours, the
 * brake is pulled and no site changes for the worse until they are heard again. A cloud of one site has no others;
 * there our own connection is what counts. The same input always gives the same answer.
 */
export function tickLiveness(
  before: Liveness,
  input: LivenessInput,
  timings: LivenessTimings = LIVENESS_TIMINGS,
): LivenessResult {
  const { now, connected } = input;
  const members = new Map(input.sites.map((site) => [site, before.sites.get(site) ?? UNKNOWN]));
  if (!connected) {
    // Nothing is judged while deaf, and what was heard before says nothing about now.
    return { state: { ...before, tickedAt: now, connected, sites: members }, changes: [], holds: [] };
  }
  const asKnown: View = { now, heard: input.heard, hearingSince: hearing(before, now, timings), timings };
  const vanished = vanishedAtOnce(members, asKnown);
  const braked = tooMany(vanished.length, vanished.length + present(members, asKnown), timings);
  // Silence under the brake counts for no more than a suspicion once it is let go.
  const letGo = before.brakedSince !== undefined && !braked;
  const hearingSince = letGo
    ? Math.max(asKnown.hearingSince, now - timings.suspectAfterMs)
    : asKnown.hearingSince;
  const view: View = { ...asKnown, hearingSince };

  const budget = new Moves(before, input, timings);
  const sites = new Map<string, SiteLiveness>();
  const goes: [string, SiteLiveness][] = [];
  for (const [site, was] of members) {
    const is = judge(site, was, view, braked);
    sites.set(site, is);
    if (is.phase === 'lost' && was.phase !== 'lost') goes.push([site, was]);
  }
  // Whoever has waited longest is first when not all may be moved.
  for (const [site, was] of goes.toSorted(([a], [b]) => silence(b, view) - silence(a, view))) {
    if (!budget.take(site)) sites.set(site, { ...leaving(was, view), held: 'moves' });
  }
  const state: Liveness = {
    hearingSince,
    tickedAt: now,
    connected,
    ...(braked ? { brakedSince: before.brakedSince ?? now } : {}),
    movesLeft: budget.left,
    sites,
  };
  const told = news(members, sites);
  if (!braked || before.brakedSince !== undefined) return { state, ...told };
  return { state, ...told, alarm: alarmText(vanished) };
}

/** Whether a site was heard so lately that it counts as present. */
export function isHeard(heardAt: number | undefined, now: number, timings = LIVENESS_TIMINGS): boolean {
  return heardAt !== undefined && now - heardAt < timings.suspectAfterMs;
}

const UNKNOWN: SiteLiveness = { phase: 'pending', leftReadyAt: [], losses: [] };
/** Sites named in an alarm. */
const NAMED_IN_ALARM = 8;

interface View {
  now: number;
  heard: ReadonlyMap<string, number>;
  hearingSince: number;
  timings: LivenessTimings;
}

/** After a cut or a stop of our own, sites get `regainGraceMs` more: they have to come back to the hub as well. */
function hearing(before: Liveness, now: number, timings: LivenessTimings): number {
  const deaf = !before.connected || now - before.tickedAt > timings.tickGapMs;
  return deaf ? Math.max(before.hearingSince, now + timings.regainGraceMs) : before.hearingSince;
}

/** Silence that may be held against a site; below 0 while it still has grace. */
function silence(site: string, { now, heard, hearingSince }: View): number {
  return now - Math.max(heard.get(site) ?? hearingSince, hearingSince);
}

/** Sites that were there and are silent, with those lost so lately that the cause may be the same. */
function vanishedAtOnce(members: ReadonlyMap<string, SiteLiveness>, view: View): string[] {
  const { now, timings } = view;
  return [...members].flatMap(([site, was]) => {
    if (was.phase === 'pending' || isHeard(view.heard.get(site), now, timings)) return [];
    const vanished =
      was.phase === 'lost'
        ? was.lostAt !== undefined && now - was.lostAt < timings.brakeWindowMs
        : silence(site, view) >= timings.suspectAfterMs;
    return vanished ? [site] : [];
  });
}

/** Sites that are there: heard, or silent for a time that says nothing yet. */
function present(members: ReadonlyMap<string, SiteLiveness>, view: View): number {
  const there = [...members].filter(([site, was]) => {
    if (isHeard(view.heard.get(site), view.now, view.timings)) return true;
    const counted = was.phase === 'ready' || was.phase === 'suspect';
    return counted && silence(site, view) < view.timings.suspectAfterMs;
  });
  return there.length;
}

function tooMany(vanished: number, all: number, timings: LivenessTimings): boolean {
  return vanished >= timings.brakeSites && vanished > all * timings.brakeShare;
}

function judge(site: string, known: SiteLiveness, view: View, braked: boolean): SiteLiveness {
  const { now, timings } = view;
  const was = forgetting(known, view);
  const { steadySince, ...rest } = was;
  if (isHeard(view.heard.get(site), now, timings)) {
    const steady = { ...rest, steadySince: steadySince ?? now };
    if (mayBeReady(steady, now, timings)) return ready(steady);
    return { ...steady, held: 'flapping' };
  }
  // A site never heard is waited for: there is nothing of it to move.
  if (was.phase === 'pending' || was.phase === 'lost') return rest;
  const ms = silence(site, view);
  if (ms < timings.suspectAfterMs) return rest;
  if (braked) return { ...rest, held: 'brake' };
  if (ms < timings.lostAfterMs) return leaving(known, view);
  return { ...leaving(known, view), phase: 'lost', lostAt: now, losses: [...was.losses, now] };
}

/** Without what is too long ago to count, and not held. */
function forgetting({ held: _held, ...was }: SiteLiveness, { now, timings }: View): SiteLiveness {
  return {
    ...was,
    leftReadyAt: was.leftReadyAt.filter((at) => now - at < timings.flapWindowMs),
    losses: was.losses.filter((at) => now - at < timings.lossWindowMs),
  };
}

/** Silent for so long that it is suspect. */
function leaving(known: SiteLiveness, view: View): SiteLiveness {
  const { steadySince: _steady, ...was } = forgetting(known, view);
  return {
    ...was,
    phase: 'suspect',
    leftReadyAt: was.phase === 'ready' ? [...was.leftReadyAt, view.now] : was.leftReadyAt,
  };
}

/** A site that comes and goes is held down until it has been heard for a while without a pause. */
function mayBeReady(
  site: SiteLiveness & { steadySince: number },
  now: number,
  timings: LivenessTimings,
): boolean {
  return site.phase === 'ready' || now - site.steadySince >= holdDownMs(site, timings);
}

/** How long it has to be heard without a pause: longer with each loss, so that one that comes and goes moves less and less. */
function holdDownMs({ leftReadyAt, losses }: SiteLiveness, timings: LivenessTimings): number {
  const again = losses.length < 2 ? 0 : timings.holdDownMs * 2 ** (losses.length - 2);
  const flaps = leftReadyAt.length < timings.flaps ? 0 : timings.holdDownMs;
  return Math.min(timings.holdDownMaxMs, Math.max(again, flaps));
}

function ready({ lostAt: _over, ...site }: SiteLiveness): SiteLiveness {
  return { ...site, phase: 'ready' };
}

/** How many replicas may still be moved: filled up over a minute, and taken by the sites that are lost. */
class Moves {
  left: number;

  constructor(
    { movesLeft, tickedAt }: Liveness,
    { now, replicas }: LivenessInput,
    timings: LivenessTimings,
    private readonly at: ReadonlyMap<string, number> = replicas ?? new Map(),
  ) {
    const all = [...at.values()].reduce((sum, n) => sum + n, 0);
    const most = Math.max(timings.movesAMinute, all * timings.movesShareAMinute);
    const refilled = (movesLeft ?? most) + ((now - tickedAt) / 60_000) * most;
    this.left = Math.min(most, refilled);
  }

  /** Whether what is placed at the site may be moved now; then it counts. A site without replicas moves nothing. */
  take(site: string): boolean {
    const replicas = this.at.get(site) ?? 0;
    if (replicas === 0) return true;
    if (this.left <= 0) return false;
    this.left -= replicas;
    return true;
  }
}

function news(
  before: ReadonlyMap<string, SiteLiveness>,
  now: ReadonlyMap<string, SiteLiveness>,
): Pick<LivenessResult, 'changes' | 'holds'> {
  const changes: LivenessChange[] = [];
  const holds: LivenessResult['holds'] = [];
  for (const [site, was] of before) {
    const is = now.get(site) ?? was;
    if (is.phase !== was.phase) changes.push({ site, from: was.phase, to: is.phase });
    if (is.held !== was.held) holds.push({ site, by: is.held });
  }
  return { changes, holds };
}

function alarmText(vanished: readonly string[]): string {
  const named = vanished.slice(0, NAMED_IN_ALARM).join(', ');
  const more = vanished.length > NAMED_IN_ALARM ? ` and ${vanished.length - NAMED_IN_ALARM} more` : '';
  return `${vanished.length} sites fell silent at once (${named}${more}): more likely a fault of the hub or of inventory than of the sites; nothing is moved until they are heard again`;
}
