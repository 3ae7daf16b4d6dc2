import type { Workload } from '@skerry/contracts';
import type { Check, PlaceRequest, SiteFacts } from '../types.js';

/** A ready site takes work; a suspect one keeps what it has; a lost one loses it when its workload's time has come. */
export const readiness: Check = {
  name: 'readiness',
  prepare: (request) => (facts, present) => mostAt(facts, present, request),
  explain: ({ facts, request, present }) => ({
    has: `${facts.state?.phase ?? 'pending'}${facts.state ? ` since ${facts.state.since}` : ''}`,
    needs:
      present > 0 && replaceDueAt(facts, request.workload) > request.now
        ? 'ready, or what runs there'
        : 'ready',
  }),
};

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
 * last heartbeat, and never before the site was declared lost. Infinity while it is not lost.
 */
export function replaceDueAt(facts: SiteFacts, workload: Workload): number {
  if (facts.state?.phase !== 'lost') return Number.POSITIVE_INFINITY;
  const since = Date.parse(facts.state.since);
  const heard = facts.state.lastHeartbeatAt === undefined ? since : Date.parse(facts.state.lastHeartbeatAt);
  return Math.max(since, heard + (workload.spec.placement.onSiteLoss.replaceAfterMs ?? 0));
}
