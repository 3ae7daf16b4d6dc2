import { LIMITS, type CheckResult, type Share } from '@skerry/contracts';
import { choose, DEFAULT_LIMITS, gather, type Chosen, type SearchLimits } from './choose.js';
import { preparedChecks, resultOf } from './checks/index.js';
import { servedOf } from './evaluate.js';
import { spreadDomain } from './checks/spread-label.js';
import { Users } from './demand/users.js';
import { everyMatching, whereItIs, type Fixed } from './fixed-choice.js';
import { problemAmong } from './problem.js';
import { worthSearching } from './prune.js';
import { replicaRange } from './replica-range.js';
import { Sifted, type Rejection } from './sift.js';
import { egressOf } from './terms/egress.js';
import type { Candidate, Decision, PlaceRequest, Problem, Snapshot } from './types.js';
import { whyHere } from './why-here.js';

/** Of a decision in full fewer sites that failed are told: nothing is to be mended. */
const REJECTED_WHEN_PLACED = 4;

/** Which engine decided: a recorded decision can be reproduced by the same version only. */
export const ENGINE = { name: 'greedy-swap', version: '6' } as const;

/** A decision and what it was made of, for the explanation of it. */
export interface Worked {
  readonly decision: Decision;
  /** Among the candidates that the search looked at. */
  readonly problem: Problem;
  readonly chosen: Chosen;
  readonly sifted: Sifted;
  /** The users as the search saw them; absent when nothing was searched. */
  readonly gathered?: Users;
}

/**
 * Chooses how many replicas run at which sites. The same request and snapshot always give the same answer, in whatever
 * order the sites come. `unplaceable` and `partial` say which checks stood in the way.
 */
export function place(request: PlaceRequest, snapshot: Snapshot): Decision {
  const { decision, problem } = work(request, snapshot);
  // Nothing of it is in the decision.
  problem.users.release();
  return decision;
}

/** As `place`, with the problem and the choice it solved. */
export function work(
  request: PlaceRequest,
  snapshot: Snapshot,
  limits: SearchLimits = DEFAULT_LIMITS,
): Worked {
  const sifted = new Sifted(request, snapshot);
  const groups = groupsOf(sifted);
  const users = new Users(request.workload.demand, sifted.index, request.measuredMs);
  const fixed = fixedChoice(sifted, users);
  if (fixed) return { decision: decisionOf(fixed.problem, fixed.chosen, sifted), ...fixed, sifted };
  const gathered = gather(users, limits, {
    replicas: replicaRange(request.workload.spec.placement).max,
    candidates: sifted.feasible.length,
  });
  const kept = worthSearching(sifted, gathered, limits.candidates);
  let problem = problemAmong(sifted, kept, users);
  let chosen = choose(problem, groups, gathered, limits);
  if (chosen.choice.total < problem.wanted && kept.length < sifted.feasible.length) {
    problem = problemAmong(sifted, sifted.feasible, users);
    chosen = choose(problem, groups, gathered, limits);
  }
  return { decision: decisionOf(problem, chosen, sifted), problem, chosen, sifted, gathered };
}

/** What the type of a workload leaves no choice of. */
function fixedChoice(sifted: Sifted, users: Users): Fixed | undefined {
  switch (sifted.request.workload.spec.type) {
    case 'daemon':
      return everyMatching(problemAmong(sifted, sifted.feasible, users), sifted);
    case 'singleton':
      return sifted.request.present.size === 0
        ? undefined
        : whereItIs(problemAmong(sifted, sifted.feasible, users));
    case 'service':
    case 'job':
    case 'cron':
      return undefined;
  }
}

/** Every value of the spread's label over the sites that passed; none without a spread. */
function groupsOf(sifted: Sifted): ReadonlySet<string> {
  const { spread } = sifted.request.workload.spec.placement;
  const groups = new Set<string>();
  if (spread === undefined || spread.targets !== undefined) return groups;
  for (const i of sifted.feasible) {
    const facts = sifted.index.sites[i];
    if (facts) groups.add(spreadDomain(facts, spread.over));
  }
  return groups;
}

/** The decision that a choice amounts to, whether the search chose it or it is given. */
export function decisionOf(problem: Problem, chosen: Chosen, sifted: Sifted): Decision {
  const { choice, objective, runnerUp } = chosen;
  const { wanted } = problem;
  const far = tooFar(problem, chosen);
  const bound = choice.total < wanted ? boundSites(problem, chosen, sifted) : far;
  const from = runnerUp && problem.candidates[runnerUp.from];
  const to = runnerUp && problem.candidates[runnerUp.to];
  const { shares, latencyMs } = sharesOf(problem, chosen, sifted);
  const failedChecks = sifted.failedChecks();
  for (const { check } of bound) failedChecks[check] = (failedChecks[check] ?? 0) + 1;
  const full = choice.total >= wanted && far.length === 0;
  const most = full ? REJECTED_WHEN_PLACED : LIMITS.rejectedSitesPerDecision;
  const shown = bound.slice(0, most);
  return {
    state: full ? 'placed' : choice.total > 0 ? 'partial' : 'unplaceable',
    wanted,
    shares,
    ...(latencyMs === undefined ? {} : { latencyMs }),
    costPerMonth: shares.reduce((sum, s) => sum + s.costPerMonth, 0),
    objective,
    ...(from && to
      ? { runnerUp: { site: to.facts.name, insteadOf: from.facts.name, worseBy: runnerUp.worseBy } }
      : {}),
    failedChecks,
    rejected: [...shown, ...sifted.rejections(most - shown.length)].map((r) => ({
      site: r.facts.name,
      failed: r.result(),
    })),
    engine: ENGINE,
    seed: 0,
  };
}

function sharesOf(
  problem: Problem,
  { choice, evaluation }: Chosen,
  sifted: Sifted,
): { shares: Share[]; latencyMs: number | undefined } {
  const served = servedOf(problem, choice, evaluation.flow);
  const onlyOne = sifted.feasible.length === 1 && sifted.index.sites.length > 1;
  const shares = choice.open.flatMap((i, at): Share[] => {
    const candidate = problem.candidates[i];
    const { share = 0, ms = 0, measured = false } = served[at] ?? {};
    if (!candidate) return [];
    const replicas = choice.counts[i] ?? 0;
    const demandShare = Math.min(1, share);
    return [
      {
        site: candidate.facts.name,
        replicas,
        why: whyHere(problem, candidate, { demandShare, onlyOne }),
        demandShare,
        latencyMs: ms,
        measured,
        costPerMonth: candidate.price * replicas + demandShare * egressOf(problem, candidate),
      },
    ];
  });
  const hasUsers = problem.users.count > 0 && choice.total > 0;
  return { shares, latencyMs: hasUsers ? served.reduce((sum, s) => sum + s.share * s.ms, 0) : undefined };
}

/** Chosen sites that serve users from farther than `maxLatencyMs`: nobody nearer can. */
function tooFar(problem: Problem, { choice, evaluation: { flow } }: Chosen): Rejection[] {
  const { maxLatencyMs } = problem.request.workload.spec.placement;
  if (maxLatencyMs === undefined || !flow) return [];
  const far = new Float64Array(choice.open.length);
  for (let n = 0; n < flow.pieces; n += 1) {
    const at = flow.site[n] ?? 0;
    const candidate = problem.candidates[choice.open[at] ?? -1];
    const ms = candidate ? (problem.users.row(candidate.ordinal).ms[flow.point[n] ?? 0] ?? 0) : 0;
    if (ms > maxLatencyMs) far[at] = (far[at] ?? 0) + (flow.amount[n] ?? 0);
  }
  return choice.open.flatMap((i, at) => {
    const facts = problem.candidates[i]?.facts;
    const share = far[at] ?? 0;
    if (!facts || share <= 0) return [];
    const has = `${(100 * share).toFixed(1)} % of the users are served from farther`;
    const result = (): CheckResult => ({
      check: 'latency',
      ok: false,
      has,
      needs: `all users within ${maxLatencyMs} ms of a replica that can carry them`,
    });
    return [{ facts, check: 'latency', result }];
  });
}

/** Sites that hold as much as they may while more is wanted, and what stops them. */
function boundSites(problem: Problem, { choice, heldBackBy }: Chosen, sifted: Sifted): Rejection[] {
  const { candidates, wanted } = problem;
  return candidates.flatMap((c, i) => {
    const full = (choice.counts[i] ?? 0) >= c.ceiling;
    const check = full ? c.boundBy : heldBackBy;
    if (check === undefined) return [];
    const result = (): CheckResult => ({
      ...limitOf(check, c, sifted),
      check,
      ok: false,
      has: `${full ? 'room for' : 'stopped at'} ${choice.counts[i] ?? 0} (${check})`,
      needs: `${wanted} in all, ${choice.total} placed`,
    });
    return [{ facts: c.facts, check, result }];
  });
}

function limitOf(name: string, { facts, present }: Candidate, sifted: Sifted): Pick<CheckResult, 'remedy'> {
  const { request, snapshot } = sifted;
  const check = preparedChecks(request, snapshot).find((c) => c.check.name === name);
  const remedy = check && resultOf(check, { facts, request, snapshot, present }).remedy;
  return remedy === undefined ? {} : { remedy };
}
