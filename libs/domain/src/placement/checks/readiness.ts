import type { SiteState, Workload } from '@skerry/contracts';
import { ownershipEndedAfterMs } from '../../liveness/lease.js';
import type { Check, Facet, PlaceRequest, SiteFacts } from '../types.js';

/** Lost sites differ by when they were lost. */
const PHASES: Facet = {
  key: 'phase',
  of: ({ state, name }) => (state?.phase === 'lost' ? `lost ${name}` : (state?.phase ?? 'pending')),
};
/** Why nothing is decided on by its silence, or it is not ready though it is heard. */
const HELD = {
  brake: 'too many fell silent at once',
  moves: 'as many replicas as may be were moved within the last minute',
  flapping: 'heard again, but it comes and goes',
} as const;
const SINCE: Facet = { key: 'phase since', of: phaseInWords };

/** A ready site takes work; a suspect or lost one keeps what it has until its workload's time has come. */
export const readiness: Check = {
  name: 'readiness',
  reads: () => PHASES,
  shows: () => SINCE,
  prepare: (request) => (facts, present) => mostAt(facts, present, request),
  explain: ({ facts, request, present }) => ({
    has: phaseInWords(facts),
    needs:
      present > 0 && replaceDueAt(facts, request.workload) > request.now
        ? 'ready, or what runs there'
        : 'ready',
  }),
};

function phaseInWords({ state }: SiteFacts): string {
  if (state === undefined) return 'pending';
  const { phase, since, held } = state;
  return `${phase} since ${since}${held === undefined ? '' : `, ${HELD[held.by]}`}`;
}

function mostAt(facts: SiteFacts, present: number, { workload, now, healthy }: PlaceRequest): number {
  const phase = facts.state?.phase ?? 'pending';
  switch (phase) {
    case 'ready':
      return Number.POSITIVE_INFINITY;
    case 'suspect':
    case 'lost':
      if (replaceDueAt(facts, workload) > now) return present;
      // What a job has completed there is not run again elsewhere.
      return workload.spec.type === 'job' ? Math.min(present, healthy?.get(facts.name) ?? 0) : 0;
    case 'pending':
    case 'left':
      return 0;
  }
}

/**
 * When a workload's replicas at a silent site are to be placed elsewhere, in ms since the epoch by the decider's clock; Infinity
 * while they are not, and for a daemon: it belongs to its site, is placed nowhere else, and is still there when the site is back.
 *
 * A service: once the site is lost; with `replaceAfterMs` that long after it was last heard, when it is suspect by then and
 * nothing holds it (`SiteState.held`). A singleton besides: only when the site is lost and has ended it by itself
 * (`ownershipEndedAfterMs`).
 */
export function replaceDueAt(facts: SiteFacts, workload: Workload): number {
  const { state } = facts;
  const { type, placement } = workload.spec;
  if (state === undefined || type === 'daemon') return Number.POSITIVE_INFINITY;
  const { replaceAfterMs } = placement.onSiteLoss;
  const lost = state.phase === 'lost';
  if (type === 'singleton')
    return Math.max(ownershipEndsAt(facts, workload), lost ? silentSince(state) + (replaceAfterMs ?? 0) : 0);
  if (replaceAfterMs === undefined) return lost ? 0 : Number.POSITIVE_INFINITY;
  const silent = lost || (state.phase === 'suspect' && state.held === undefined);
  return silent ? silentSince(state) + replaceAfterMs : Number.POSITIVE_INFINITY;
}

/**
 * When a site has ended a singleton by itself, whoever owns it then, in ms since the epoch by the decider's clock: its lease
 * has run out. Infinity while it may get another (a site that is not lost has to say that it ended it), and for what is no
 * singleton.
 */
export function ownershipEndsAt({ state }: SiteFacts, { spec }: Workload): number {
  if (state?.phase !== 'lost' || spec.type !== 'singleton') return Number.POSITIVE_INFINITY;
  return silentSince(state) + ownershipEndedAfterMs(state.agentVersion, spec.run.stop.graceMs);
}

/** By the decider's own clock: what it noted when it heard of the silence. Only without that by inventory's. */
function silentSince(state: SiteState): number {
  return Date.parse(state.silentSince ?? state.lastHeartbeatAt ?? state.since);
}
