export { advise, type Advice } from './advise/advise.js';
export type { Advised, AdvisedSite } from './advise/figures.js';
export type { AdviceRequest, SiteProspect } from './advise/prospects.js';
export { DEFAULT_LIMITS, UNPRUNED, type SearchLimits } from './choose.js';
export { CHECKS } from './checks/index.js';
export { replaceDueAt } from './checks/readiness.js';
export { mayReside } from './checks/residency.js';
export { evaluate, objectiveOf, termsOf, type Evaluation } from './evaluate.js';
export { explain, explanation, type Explanation } from './explain.js';
export { distanceKm, estimatedRttMs, positionOf } from './geo.js';
export { compareValues, labelHolds, labelRulesOf, ruleInWords } from './label-match.js';
export { lastCopyGone, wantedPart } from './handover.js';
export { decideAgain, Past, snapshotSite, type Remade } from './history.js';
export { withOwnLedger } from './ledger-copy.js';
export { Ledger, type Holding } from './ledger.js';
export { INVARIANTS, lint, type Invariant, type Violation } from './lint.js';
export { nextPlacement, placeRequest, reviewAt, type NextPlacementInput } from './next-placement.js';
export * from './nodes/index.js';
export { partnerOf } from './partner.js';
export { ENGINE, place, work, type Worked } from './place.js';
export { asNumbers, problemOf, type Numbers } from './problem.js';
export {
  rebalance,
  rebalanceInTurns,
  type Rebalance,
  type Rebalanced,
  type RebalanceFigures,
  type RebalanceLimits,
  type RebalanceState,
  type Running,
} from './rebalance.js';
export { type TrialLedger } from './rebalance-trial.js';
export { replicaRange } from './replica-range.js';
export { replicaPrice } from './price.js';
export { quotasOf } from './search/set-rules.js';
export { siteFacts } from './site-facts.js';
export { TERMS } from './terms/index.js';
export * from './types.js';
export * from './weights.js';
