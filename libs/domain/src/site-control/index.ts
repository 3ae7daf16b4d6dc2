export { allot, sameSlots, slotsOn, type Allotted, type AllotRequest, type NodeStanding } from './allot.js';
export { hasEnded, mergeReplicas, mergeRuns, type MergeInput, type NodeReport } from './merge-reports.js';
export { eachNeedOf, NodeLedger, type EachNeed, type SiteNode } from './node-ledger.js';
export { beginNodes, hearingOf, tickNodes, type NodeHearing, type NodesHeard } from './node-liveness.js';
export { turnOf, type SlotState } from './rollout-turn.js';
export { capacityOfNodes } from './site-capacity.js';
export { countedNodes, siteStanding } from './site-standing.js';
export {
  leaseOf,
  leaseOverAt,
  NODE_TIMINGS,
  SERVER_MEMORY,
  SINGLETON_LEASE,
  type NodeTimings,
} from './timings.js';
