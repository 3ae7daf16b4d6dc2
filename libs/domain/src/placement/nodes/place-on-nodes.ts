import type { LabelRule, Resources } from '@skerry/contracts';
import { NodePacker, type NodeExplanation, type PackingNode, type PlacedReplica } from './node-packer.js';
import type { PackingPolicy } from './packing-policy.js';
import { needKey } from './task-classes.js';

/** One replica that a node holds. */
export interface HeldOnNode {
  readonly node: string;
  readonly need: Resources;
  readonly gpus: readonly number[];
}

export interface PlaceOnNodesRequest {
  /** In any order; the answer does not depend on it. Names are used once each. */
  readonly nodes: readonly PackingNode[];
  /** What nodes hold already, by the node's name. */
  readonly held?: readonly {
    readonly node: string;
    readonly need: Resources;
    readonly gpus: readonly number[];
  }[];
  /** What one replica needs. */
  readonly need: Resources;
  readonly replicas: number;
  /** Labels that a node must have. */
  readonly rules?: readonly LabelRule[];
  /** Default `least-stranded`, with what is held as the mix of tasks that it knows. */
  readonly policy?: PackingPolicy;
}

export interface PlacedOnNodes {
  /** One for each replica that has a place, in the order in which they were placed. */
  readonly placed: readonly {
    readonly node: string;
    readonly gpus: readonly number[];
    readonly score: number;
  }[];
  /** Replicas for which no node has room. */
  readonly missing: number;
  /** Every node by name, as it stands to one more replica than was placed. */
  readonly explained: readonly NodeExplanation[];
}

/**
 * Places the replicas of one workload on nodes: the second level, below sites. Pure; the same nodes, holdings and need give
 * the same answer in whatever order they come. What is held must fit together; it is taken as it is.
 */
export function placeOnNodes(request: PlaceOnNodesRequest): PlacedOnNodes {
  const { need, replicas, rules = [], held = [] } = request;
  const nodes = request.nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const packer = new NodePacker(nodes, request.policy);
  const indexOf = new Map(nodes.map(({ name }, i) => [name, i]));
  // In one order, whatever was told: what is learned depends on it.
  for (const { node, need: each, gpus } of held.toSorted(byNodeAndNeed)) {
    const index = indexOf.get(node);
    if (index === undefined) continue;
    packer.learn(each);
    packer.take({ node: index, need: each, gpus });
  }
  const placed: PlacedReplica[] = [];
  while (placed.length < replicas) {
    const next = packer.place(need, rules);
    if (!next) break;
    placed.push(next);
  }
  return {
    placed: placed.map(({ node, gpus, score }) => ({ node: nodes[node]?.name ?? '', gpus, score })),
    missing: replicas - placed.length,
    explained: packer.explain(need, rules),
  };
}

function byNodeAndNeed(a: HeldOnNode, b: HeldOnNode): number {
  const [x, y] = [a, b].map(({ node, need }) => `${node} ${needKey(need)}`);
  return x === y ? 0 : (x ?? '') < (y ?? '') ? -1 : 1;
}
