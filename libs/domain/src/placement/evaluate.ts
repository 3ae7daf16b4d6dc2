import type { Term } from '@skerry/contracts';
import { Transport, type DetailedFlow } from './demand/transport.js';
import { baseCost, DEMAND_TERMS, marginalCost, SITE_TERMS, toPairCosts } from './terms/index.js';
import type { Candidate, Choice, Problem } from './types.js';

/** Who is served where by a choice, and what that costs. */
export interface Evaluation {
  /** Currency units a month; lower is better. */
  readonly objective: number;
  /** By position in `choice.open`; undefined without users or without a replica. */
  readonly flow: DetailedFlow | undefined;
}

/**
 * What a choice costs, in currency units a month; lower is better. Exact: users are served the cheapest way that the
 * capacity of the replicas allows.
 */
export function objectiveOf(problem: Problem, choice: Choice): number {
  return evaluate(problem, choice).objective;
}

/** As `objectiveOf`, with who is served where. */
export function evaluate(problem: Problem, choice: Choice): Evaluation {
  let objective = baseCost(problem);
  for (const { candidate, replicas } of chosen(problem, choice)) {
    for (let nth = 1; nth <= replicas; nth += 1) objective += marginalCost(problem, candidate, nth);
  }
  const flow = serve(problem, choice);
  return { objective: objective + (flow?.cost ?? 0), flow };
}

/** Mean round trip in ms of all users; 0 without users or replicas. */
export function meanMs(problem: Problem, choice: Choice): number {
  return servedOf(problem, choice, serve(problem, choice)).reduce((sum, s) => sum + s.share * s.ms, 0);
}

/** What one chosen site serves. */
export interface Served {
  /** Share of the demand, 0 to 1. */
  readonly share: number;
  /** Mean round trip of it. */
  readonly ms: number;
  /** Whether all of it was measured. */
  readonly measured: boolean;
}

/** What each chosen site serves, by position in `choice.open`. */
export function servedOf(problem: Problem, choice: Choice, flow: DetailedFlow | undefined): Served[] {
  const open = chosen(problem, choice);
  const rows = open.map(({ candidate }) => problem.users.row(candidate.ordinal));
  const ms = new Float64Array(open.length);
  const measured = open.map(() => true);
  const { pieces, site, point, amount } = flow ?? NOWHERE;
  for (let n = 0; n < pieces; n += 1) {
    const at = site[n] ?? 0;
    const p = point[n] ?? 0;
    const row = rows[at];
    if (!row) continue;
    ms[at] = (ms[at] ?? 0) + (amount[n] ?? 0) * (row.ms[p] ?? 0);
    if (row.measured[p] === 0) measured[at] = false;
  }
  return open.map((_, at) => {
    const share = flow?.load[at] ?? 0;
    return { share, ms: share > 0 ? (ms[at] ?? 0) / share : 0, measured: measured[at] ?? true };
  });
}

/** Nobody served. */
const NOWHERE = {
  pieces: 0,
  site: new Int32Array(0),
  point: new Int32Array(0),
  amount: new Float64Array(0),
} as const;

function serve(problem: Problem, choice: Choice): DetailedFlow | undefined {
  if (problem.users.count === 0 || choice.total === 0) return undefined;
  const open = chosen(problem, choice);
  const { count } = problem.users;
  if (scratch.length < open.length * count) scratch = new Float64Array(2 * open.length * count);
  const rows = open.map(({ candidate }, n) => {
    const row = scratch.subarray(n * count, (n + 1) * count);
    row.set(problem.users.row(candidate.ordinal).ms);
    toPairCosts(problem, candidate, row);
    return row;
  });
  const [only] = rows;
  if (only && rows.length === 1) return allAt(only, problem.users.weight);
  const transport = new Transport(problem.users.weight);
  const capacities = Float64Array.from(open, ({ replicas }) => replicas * problem.carries);
  const flow = transport.solveInDetail(rows, capacities);
  transport.release();
  return flow;
}

/** All users at one site, whatever it can carry. */
function allAt(costs: Float64Array, weight: Float64Array): DetailedFlow {
  const pieces = weight.length;
  const point = new Int32Array(pieces);
  let [cost, load] = [0, 0];
  for (let p = 0; p < pieces; p += 1) {
    point[p] = p;
    cost += (weight[p] ?? 0) * (costs[p] ?? 0);
    load += weight[p] ?? 0;
  }
  const one = { cost, load: Float64Array.of(load), prices: new Float64Array(1) };
  return { ...one, pieces, point, site: new Int32Array(pieces), amount: weight.slice() };
}

/** Costs of the choice that is being evaluated; nothing of it is kept. One for all, as it is large and soon garbage. */
let scratch = new Float64Array(0);

/** Each term of a choice with its number, its unit and what it adds to the objective: the costs add up to it. */
export function termsOf(problem: Problem, choice: Choice): Term[] {
  const open = chosen(problem, choice);
  const flow = serve(problem, choice);
  const demand = DEMAND_TERMS.map((term): Term => {
    let value = 0;
    const pieces = flow?.pieces ?? 0;
    for (let n = 0; n < pieces; n += 1) {
      const { candidate } = open[flow?.site[n] ?? 0] ?? {};
      const ms = candidate ? (problem.users.row(candidate.ordinal).ms[flow?.point[n] ?? 0] ?? 0) : 0;
      if (!candidate) continue;
      const of = term.ofAll(problem, candidate);
      value += (flow?.amount[n] ?? 0) * (typeof of === 'number' ? of : of(ms));
    }
    return { term: term.name, value, unit: term.unit, cost: value * term.weight(problem.weights) };
  });
  const site = SITE_TERMS.map((term): Term => {
    let value = term.withoutAny?.(problem) ?? 0;
    for (const { candidate, replicas } of open) {
      for (let nth = 1; nth <= replicas; nth += 1) value += term.marginal(problem, candidate, nth);
    }
    return { term: term.name, value, unit: term.unit, cost: value * term.weight(problem.weights) };
  });
  return [...demand, ...site];
}

function chosen(problem: Problem, { open, counts }: Choice): { candidate: Candidate; replicas: number }[] {
  return open.flatMap((i) => {
    const candidate = problem.candidates[i];
    return candidate ? [{ candidate, replicas: counts[i] ?? 0 }] : [];
  });
}
