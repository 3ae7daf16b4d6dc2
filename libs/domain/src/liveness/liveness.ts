import type { SitePhase } from '@skerry/contracts';
import { LIVENESS_TIMINGS, type LivenessTimings } from './timings.js';

/** The phases a site that has joined can be in. */
export type LivePhase = Exclude<SitePhase, 'left'>;

/** What is remembered of one site between two ticks. */
export interface SiteLiveness {
  readonly phase: LivePhase;
  /** Since when it has been heard without a pause; absent while it is silent. */
  readonly steadySince?: number;
  /** When it left `ready`, within the last `flapWindowMs`. */
  readonly leftReadyAt: readonly number[];
  readonly lostAt?: number;
}

/** What failure detection remembers between two ticks. */
export interface Liveness {
  /** Silence before this does not count: we were not connected, not running, or suspected ourselves. */
  readonly hearingSince: number;
  readonly tickedAt: number;
  readonly connected: boolean;
  /** Since when nothing is moved; absent: judging as usual. */
  readonly brakedSince?: number;
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
}

export interface LivenessChange {
  site: string;
  from: LivePhase;
  to: LivePhase;
}

export interface LivenessResult {
  state: Liveness;
  changes: LivenessChange[];
  /** Set by the tick that pulls the brake: why nothing is moved from now on. */
  alarm?: string;
}

/**
 * A fresh start, or a takeover from another instance: every site keeps its phase and gets a new period of grace,
 * since nobody may have listened in between. `graceMs` lengthens it (at a cold start the sites start too).
 */
export function beginLiveness(now: number, phases: ReadonlyMap<string, LivePhase>, graceMs = 0): Liveness {
  const sites = new Map([...phases].map(([site, phase]) => [site, { phase, leftReadyAt: [] }]));
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
    return { state: { ...before, tickedAt: now, connected, sites: members }, changes: [] };
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

  const changes: LivenessChange[] = [];
  const sites = new Map<string, SiteLiveness>();
  for (const [site, was] of members) {
    const is = judge(site, was, view, braked);
    sites.set(site, is);
    if (is.phase !== was.phase) changes.push({ site, from: was.phase, to: is.phase });
  }
  const state: Liveness = {
    hearingSince,
    tickedAt: now,
    connected,
    ...(braked ? { brakedSince: before.brakedSince ?? now } : {}),
    sites,
  };
  if (!braked || before.brakedSince !== undefined) return { state, changes };
  return { state, changes, alarm: alarmText(vanished) };
}

/** Whether a site was heard so lately that it counts as present. */
export function isHeard(heardAt: number | undefined, now: number, timings = LIVENESS_TIMINGS): boolean {
  return heardAt !== undefined && now - heardAt < timings.suspectAfterMs;
}

const UNKNOWN: SiteLiveness = { phase: 'pending', leftReadyAt: [] };
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

function judge(site: string, was: SiteLiveness, view: View, braked: boolean): SiteLiveness {
  const { now, timings } = view;
  const leftReadyAt = was.leftReadyAt.filter((at) => now - at < timings.flapWindowMs);
  const { steadySince, ...rest } = was;
  if (isHeard(view.heard.get(site), now, timings)) {
    const steady = { ...rest, leftReadyAt, steadySince: steadySince ?? now };
    return mayBeReady(steady, now, timings) ? ready(steady) : steady;
  }
  const silent = { ...rest, leftReadyAt };
  // A site never heard is waited for: there is nothing of it to move.
  if (braked || was.phase === 'pending' || was.phase === 'lost') return silent;
  const ms = silence(site, view);
  if (ms < timings.suspectAfterMs) return silent;
  const leaving = was.phase === 'ready' ? { ...silent, leftReadyAt: [...leftReadyAt, now] } : silent;
  return ms < timings.lostAfterMs
    ? { ...leaving, phase: 'suspect' }
    : { ...leaving, phase: 'lost', lostAt: now };
}

/** A site that comes and goes is held down until it has been heard for a while without a pause. */
function mayBeReady(
  site: SiteLiveness & { steadySince: number },
  now: number,
  timings: LivenessTimings,
): boolean {
  return (
    site.phase === 'ready' ||
    site.leftReadyAt.length < timings.flaps ||
    now - site.steadySince >= timings.holdDownMs
  );
}

function ready({ lostAt: _over, ...site }: SiteLiveness): SiteLiveness {
  return { ...site, phase: 'ready' };
}

function alarmText(vanished: readonly string[]): string {
  const named = vanished.slice(0, NAMED_IN_ALARM).join(', ');
  const more = vanished.length > NAMED_IN_ALARM ? ` and ${vanished.length - NAMED_IN_ALARM} more` : '';
  return `${vanished.length} sites fell silent at once (${named}${more}): more likely a fault of the hub or of inventory than of the sites; nothing is moved until they are heard again`;
}
