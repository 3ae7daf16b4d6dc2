import type { Workload } from '@skerry/contracts';
import { CUT_OFF_MARGIN_MS, CUT_OFF_MS } from '../../liveness/timings.js';
import type { Check, Facet, PlaceRequest, SiteFacts } from '../types.js';

/** Lost sites differ by when they were lost. */
const PHASES: Facet = {
  key: 'phase',
  of: ({ state, name }) => (state?.phase === 'lost' ? `lost ${name}` : (state?.phase ?? 'pending')),
};
const SINCE: Facet = { key: 'phase since', of: phaseInWords };

/** A ready site takes work; a suspect one keeps what it has; a lost one loses it when its workload's time has come. */
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
  return state === undefined ? 'pending' : `${state.phase} since ${state.since}`;
}

function mostAt(facts: SiteFacts, present: number, { workload, now }: PlaceRequest): number {
  const phase = facts.state?.phase ?? 'pending';
  switch (phase) {
    case 'ready':
      return Number.POSITIVE_INFINITY;
    case 'suspect':
      return present;
    case 'lost':
      return replaceDueAt(facts, workload) <= now ? 0 : present;
    case 'pending':
    case 'left':
      return 0;
  }
}

/**
 * When a workload's replicas at a lost site are to be placed elsewhere, in ms since the epoch: `replaceAfterMs` after the
 * last heartbeat, and never before the site was declared lost; for a singleton not before the site has stopped it by
 * itself. Infinity while it is not lost, and for a daemon.
 */
export function replaceDueAt(facts: SiteFacts, workload: Workload): number {
  // A daemon belongs to its site: it is placed nowhere else, and is still there when the site is back.
  if (facts.state?.phase !== 'lost' || workload.spec.type === 'daemon') return Number.POSITIVE_INFINITY;
  const since = Date.parse(facts.state.since);
  const heard = facts.state.lastHeartbeatAt === undefined ? since : Date.parse(facts.state.lastHeartbeatAt);
  return Math.max(
    since,
    heard + Math.max(workload.spec.placement.onSiteLoss.replaceAfterMs ?? 0, gone(workload)),
  );
}

/** After how long without a heartbeat a site has stopped a singleton by itself; 0 for what may run twice. */
function gone({ spec }: Workload): number {
  if (spec.type !== 'singleton') return 0;
  return CUT_OFF_MS + spec.run.stop.graceMs + CUT_OFF_MARGIN_MS;
}
