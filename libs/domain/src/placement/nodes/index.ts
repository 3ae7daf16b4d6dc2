export { NodePacker, type NodeExplanation, type PackingNode, type PlacedReplica } from './node-packer.js';
export { gpuMilliOf, WHOLE_GPU, type NodeSize } from './node-room.js';
export { emptyNode, freeGpuMilli, misfitOn, type NodeState } from './node-state.js';
export type { PackingPolicy, PackingSetup } from './packing-policy.js';
export {
  placeOnNodes,
  type HeldOnNode,
  type PlacedOnNodes,
  type PlaceOnNodesRequest,
} from './place-on-nodes.js';
export { PACKING_POLICIES, type PackingPolicyName } from './policies/index.js';
export { seededStream } from './seeded-stream.js';
export { classesOf, type TaskClass } from './task-classes.js';
