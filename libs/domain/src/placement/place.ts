import { LIMITS, type CheckResult, type Share } from '@skerry/contracts';
import { choose, type Chosen } from './choose.js';
import { preparedChecks, resultOf } from './checks/index.js';
import { NearestWithHeadroom } from './demand.js';
import { latencyTable } from './latency-table.js';
import { worthSearching } from './prune.js';
import { replicaRange } from './replica-range.js';
import { sift, type Rejection } from './sift.js';
import type { Candidate, Decision, PlaceRequest, Problem, SiteFacts, Snapshot } from './types.js';
import { DEFAULT_WEIGHTS } from './weights.js';
import { whyHere } from './why-here.js';

/** Which engine decided: a recorded decision can be reproduced by the same version only. */
export const ENGINE = { name: 'greedy-swap', version: '1' } as const;

/** A decision and what it was made of, for the explanation of it. */
export interface Worked {
  readonly decision: Decision;
  readonly problem: Problem;
  readonly chosen: Chosen;
}

/**
 * Chooses how many replicas run at which sites. The same request and snapshot always give the same answer, in whatever
 * order the sites come. `unplaceable` and `partial` say which checks stood in the way.
 */
export function place(request: PlaceRequest, snapshot: Snapshot): Decision {
  return work(request, snapshot).decision;
}

/** As `place`, with the problem and the choice it solved. */
export function work(request: PlaceRequest, snapshot: Snapshot): Worked {
  const { candidates, rejections } = sift(request, snapshot);
  const whole = problemOf(request, snapshot.sites, candidates);
  const pruned = worthSearching(whole);
  let problem = pruned === candidates ? whole : problemOf(request, snapshot.sites, pruned);
  let chosen = choose(problem);
  if (chosen.choice.total < problem.wanted && problem !== whole) {
    problem = whole;
    chosen = choose(whole);
  }
  return { decision: decisionOf(problem, chosen, rejections, snapshot), problem, chosen };
}

function problemOf(
  request: PlaceRequest,
  sites: readonly SiteFacts[],
  candidates: readonly Candidate[],
): Problem {
  const table = latencyTable(
    request.workload.demand,
    candidates.map((c) => c.facts),
    sites,
    request.measuredMs,
  );
  return {
    request,
    wanted: replicaRange(request.workload.spec.placement).min,
    candidates,
    presentTotal: candidates.reduce((sum, c) => sum + c.present, 0),
    demand: new NearestWithHeadroom(table, candidates.length),
    weights: request.weights ?? DEFAULT_WEIGHTS,
  };
}

function decisionOf(
  problem: Problem,
  chosen: Chosen,
  rejections: readonly Rejection[],
  snapshot: Snapshot,
): Decision {
  const { choice, objective, runnerUp } = chosen;
  const { wanted } = problem;
  const bound = choice.total < wanted ? boundSites(problem, chosen, snapshot) : [];
  const from = runnerUp && problem.candidates[runnerUp.from];
  const to = runnerUp && problem.candidates[runnerUp.to];
  const shares = sharesOf(problem, chosen, rejections.length);
  const total = problem.demand.meanMs(choice);
  return {
    state: choice.total >= wanted ? 'placed' : choice.total > 0 ? 'partial' : 'unplaceable',
    wanted,
    shares,
    ...(problem.demand.hasUsers && choice.total > 0 ? { latencyMs: total } : {}),
    costPerMonth: shares.reduce((sum, s) => sum + s.costPerMonth, 0),
    objective,
    ...(from && to
      ? { runnerUp: { site: to.facts.name, insteadOf: from.facts.name, worseBy: runnerUp.worseBy } }
      : {}),
    failedChecks: countByCheck([...rejections, ...bound]),
    rejected: [...bound, ...rejections]
      .slice(0, LIMITS.rejectedSitesPerDecision)
      .map((r) => ({ site: r.facts.name, failed: r.result() })),
    engine: ENGINE,
    seed: 0,
  };
}

function sharesOf(problem: Problem, { choice }: Chosen, rejected: number): Share[] {
  const served = problem.demand.serve(choice);
  const onlyOne = problem.candidates.length === 1 && rejected > 0;
  return choice.open.flatMap((i) => {
    const candidate = problem.candidates[i];
    if (!candidate) return [];
    const replicas = choice.counts[i] ?? 0;
    const demandShare = Math.min(1, served.share[i] ?? 0);
    return [
      {
        site: candidate.facts.name,
        replicas,
        why: whyHere(problem, candidate, { demandShare, onlyOne }),
        demandShare,
        latencyMs: served.ms[i] ?? 0,
        measured: served.measured[i] ?? false,
        costPerMonth: candidate.price * replicas,
      },
    ];
  });
}

/** Sites that hold as much as they may while more is wanted, and what stops them. */
function boundSites(problem: Problem, { choice, heldBackBy }: Chosen, snapshot: Snapshot): Rejection[] {
  const { request, candidates, wanted } = problem;
  return candidates.flatMap((c, i) => {
    const full = (choice.counts[i] ?? 0) >= c.ceiling;
    const check = full ? c.boundBy : heldBackBy;
    if (check === undefined) return [];
    const result = (): CheckResult => ({
      ...limitOf(check, c, request, snapshot),
      check,
      ok: false,
      has: `${full ? 'room for' : 'stopped at'} ${choice.counts[i] ?? 0} (${check})`,
      needs: `${wanted} in all, ${choice.total} placed`,
    });
    return [{ facts: c.facts, check, result }];
  });
}

function limitOf(
  name: string,
  { facts, present }: Candidate,
  request: PlaceRequest,
  snapshot: Snapshot,
): Pick<CheckResult, 'remedy'> {
  const check = preparedChecks(request, snapshot).find((c) => c.check.name === name);
  const remedy = check && resultOf(check, { facts, request, snapshot, present }).remedy;
  return remedy === undefined ? {} : { remedy };
}

function countByCheck(rejections: readonly Rejection[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { check } of rejections) counts[check] = (counts[check] ?? 0) + 1;
  return counts;
}
