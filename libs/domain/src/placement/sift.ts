import type { CheckResult } from '@skerry/contracts';
import { preparedChecks, resultOf, type PreparedCheck } from './checks/index.js';
import { lacking } from './checks/labels.js';
import { spreadDomain } from './checks/spread-label.js';
import { replicaPrice } from './price.js';
import { byName } from './site-facts.js';
import type { Candidate, CheckContext, PlaceRequest, SiteFacts, Snapshot } from './types.js';

export interface Rejection {
  readonly facts: SiteFacts;
  /** The first check that the site failed. */
  readonly check: string;
  /** Words for it; made only when asked for. */
  readonly result: () => CheckResult;
}

/** Divides the sites, by name, into those that may hold at least one replica and the others. */
export function sift(
  request: PlaceRequest,
  snapshot: Snapshot,
): { candidates: Candidate[]; rejections: Rejection[] } {
  const checks = preparedChecks(request, snapshot);
  const limiting = checks.filter((c) => c.limit);
  const candidates: Candidate[] = [];
  const rejections: Rejection[] = [];
  for (const facts of byName(snapshot.sites)) {
    const context = { facts, request, snapshot, present: request.present.get(facts.name) ?? 0 };
    const { ceiling, boundBy } = ceilingOf(context, limiting);
    if (ceiling > 0) candidates.push(candidateOf(context, ceiling, boundBy?.check.name));
    else if (boundBy) {
      rejections.push({ facts, check: boundBy.check.name, result: () => resultOf(boundBy, context) });
    }
  }
  return { candidates, rejections };
}

function ceilingOf({ facts, present }: CheckContext, limiting: readonly PreparedCheck[]) {
  let ceiling = Number.POSITIVE_INFINITY;
  let boundBy: PreparedCheck | undefined;
  for (const prepared of limiting) {
    const limit = prepared.limit?.(facts, present) ?? Number.POSITIVE_INFINITY;
    if (limit < ceiling) [ceiling, boundBy] = [limit, prepared];
    if (ceiling <= 0) break;
  }
  return { ceiling, boundBy };
}

function candidateOf(context: CheckContext, ceiling: number, boundBy: string | undefined): Candidate {
  const { facts, request, snapshot, present } = context;
  const { project, name, spec } = request.workload;
  const { preferred } = spec.placement.sites;
  const asked = Object.keys(preferred).length;
  const over = spec.placement.spread?.over;
  return {
    facts,
    ceiling,
    boundBy,
    present,
    price: replicaPrice(facts.site.prices, spec.resources),
    lacks: asked === 0 ? 0 : lacking(facts, preferred).length / asked,
    ...snapshot.ledger.use(facts.name, spec.resources, `${project}.${name}`),
    domain: over === undefined ? facts.name : spreadDomain(facts, over),
  };
}
