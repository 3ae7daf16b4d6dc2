import type { CheckResult, LabelRule, Resources } from '@skerry/contracts';
import { labelHolds, ruleInWords } from '../label-match.js';
import { WHOLE_GPU, type NodeSize } from './node-room.js';
import { changed, emptyNode, fitsOn, gpuChoices, misfitOn, stateKey, type NodeState } from './node-state.js';
import type { PackingPolicy } from './packing-policy.js';
import { leastStranded } from './policies/least-stranded.js';
import { needKey } from './task-classes.js';

/** Kinds of need whose scores are remembered; those of others are worked out each time. */
const KINDS_MAX = 1_024;

/** A machine that replicas can be placed on. */
export interface PackingNode extends NodeSize {
  readonly name: string;
  /** What rules of labels look at; default none. */
  readonly labels?: ReadonlyMap<string, string> | undefined;
}

/** Where one replica is. */
export interface PlacedReplica {
  /** Index of the node. */
  readonly node: number;
  readonly need: Resources;
  /** Indices of its GPUs on that node: all of one model; of one GPU only for a share. */
  readonly gpus: readonly number[];
  /** What the policy said of it; the least of all nodes that had room. */
  readonly score: number;
}

/** What is said of one node for one need: what is short, or its score and its rank (1 is best). */
export type NodeExplanation =
  | { readonly node: string; readonly fits: false; readonly failed: CheckResult }
  | {
      readonly node: string;
      readonly fits: true;
      readonly score: number;
      readonly unit: string;
      readonly rank: number;
      readonly gpus: readonly number[];
    };

interface Scored {
  readonly score: number;
  readonly gpus: readonly number[];
}
interface Cell {
  readonly state: NodeState;
  /** Nodes in this state. */
  nodes: number;
  /** By kind of need; undefined until asked, null when it does not fit. */
  scores: (Scored | null | undefined)[];
}

/**
 * Places replicas on nodes one by one. The same nodes and the same calls in the same order always give the same answer. A
 * decision costs a look at every node, and a score for each state of a node that this kind of need has not met yet.
 */
export class NodePacker {
  readonly #nodes: readonly PackingNode[];
  readonly #policy: PackingPolicy;
  readonly #cells: Cell[];
  readonly #byKey = new Map<string, Cell>();
  readonly #kinds = new Map<string, number>();

  /** `nodes` keep their order: of equally good ones the first wins. Default policy: `least-stranded`. */
  constructor(nodes: readonly PackingNode[], policy?: PackingPolicy) {
    this.#nodes = nodes;
    this.#policy = policy ?? leastStranded({ nodes });
    this.#cells = nodes.map((node) => this.#enter(emptyNode(node)));
  }

  /** Learns of a need and places it on a node whose labels meet the rules; undefined when none has room for it. */
  place(need: Resources, rules: readonly LabelRule[] = []): PlacedReplica | undefined {
    this.learn(need);
    const found = this.choose(need, rules);
    if (found) this.#change(found.node, need, found.gpus, -1);
    return found;
  }

  /** Tells the policy of a need that arrived: what it does not place, but shall know of. */
  learn(need: Resources): void {
    if (this.#policy.saw?.(need) === true) this.#forgetScores();
  }

  /** Where `place` would put it. */
  choose(need: Resources, rules: readonly LabelRule[] = []): PlacedReplica | undefined {
    const kind = this.#kindOf(need);
    let best: Scored | undefined;
    let chosen = 0;
    for (let node = 0; node < this.#cells.length; node += 1) {
      const cell = this.#cells[node];
      const scored = cell && this.#scored(cell, kind, need);
      if (!scored || (best !== undefined && scored.score >= best.score)) continue;
      if (rules.length > 0 && this.#broken(node, rules)) continue;
      best = scored;
      chosen = node;
    }
    return best && { node: chosen, need, ...best };
  }

  /** Takes room as given: for what runs already. The caller has seen to it that it fits. */
  take({ node, need, gpus }: Omit<PlacedReplica, 'score'>): void {
    this.#change(node, need, gpus, -1);
  }

  /** Takes these GPUs and the rest of the need on a node, unless something of it is taken; returns whether it did. */
  takeIfFree(node: number, need: Resources, gpus: readonly number[]): boolean {
    const state = this.#cells[node]?.state;
    const milli = need.gpu?.shareMilli ?? WHOLE_GPU;
    const free =
      state !== undefined &&
      fitsOn(state, need) &&
      gpus.length === (need.gpu?.count ?? 0) &&
      new Set(gpus).size === gpus.length &&
      gpus.every((gpu) => (state.gpus[gpu] ?? 0) >= milli);
    if (free) this.#change(node, need, gpus, -1);
    return free;
  }

  /** Gives back what `place` or `take` took. */
  giveBack({ node, need, gpus }: Omit<PlacedReplica, 'score'>): void {
    this.#change(node, need, gpus, 1);
  }

  /** What is free on a node. */
  free(node: number): NodeState | undefined {
    return this.#cells[node]?.state;
  }

  /** For every node, in the order given: why it does not fit, or its score and rank. */
  explain(need: Resources, rules: readonly LabelRule[] = []): NodeExplanation[] {
    const kind = this.#kindOf(need);
    const broken = this.#cells.map((_, node) => this.#broken(node, rules));
    const scored = this.#cells.map((cell, i) => (broken[i] ? null : this.#scored(cell, kind, need)));
    const order = scored.flatMap((s, node) => (s ? { node, score: s.score } : []));
    order.sort((a, b) => a.score - b.score || a.node - b.node);
    const ranks = new Map(order.map(({ node }, i) => [node, i + 1]));
    return this.#cells.map(({ state }, i): NodeExplanation => {
      const node = this.#nodes[i]?.name ?? '';
      const s = scored[i];
      const failed = s ? undefined : (broken[i] ?? misfitOn(state, need));
      if (failed) return { node, fits: false, failed };
      const { score = 0, gpus = [] } = s ?? {};
      return { node, fits: true, score, unit: this.#policy.unit, rank: ranks.get(i) ?? 1, gpus };
    });
  }

  #broken(node: number, rules: readonly LabelRule[]): CheckResult | undefined {
    const labels = this.#nodes[node]?.labels;
    const rule = rules.find((r) => !labelHolds(r, labels?.get(r.label)));
    if (!rule) return undefined;
    const has = `${rule.label}=${labels?.get(rule.label) ?? '(none)'}`;
    return { check: 'labels', ok: false, has, needs: ruleInWords(rule) };
  }

  #scored(cell: Cell, kind: number, need: Resources): Scored | null {
    const known = cell.scores[kind];
    if (known !== undefined) return known;
    const scored = this.#score(cell.state, need);
    if (kind >= 0 && (scored === null || this.#policy.draws !== true)) cell.scores[kind] = scored;
    return scored;
  }

  #score(state: NodeState, need: Resources): Scored | null {
    if (!fitsOn(state, need)) return null;
    let best: Scored | null = null;
    for (const gpus of gpuChoices(state, need)) {
      const score = this.#policy.score(state, changed(state, need, gpus, -1), need);
      if (best === null || score < best.score) best = { score, gpus };
    }
    return best;
  }

  /** -1 for a need beyond those that are remembered. */
  #kindOf(need: Resources): number {
    const key = needKey(need);
    const known = this.#kinds.get(key);
    if (known !== undefined) return known;
    if (this.#kinds.size >= KINDS_MAX) return -1;
    this.#kinds.set(key, this.#kinds.size);
    return this.#kinds.size - 1;
  }

  #change(node: number, need: Resources, gpus: readonly number[], sign: 1 | -1): void {
    const cell = this.#cells[node];
    if (!cell) throw new RangeError(`there is no node ${node}`);
    const next = this.#enter(changed(cell.state, need, gpus, sign));
    cell.nodes -= 1;
    if (cell.nodes === 0) this.#byKey.delete(stateKey(cell.state));
    this.#cells[node] = next;
  }

  #enter(state: NodeState): Cell {
    const key = stateKey(state);
    const known = this.#byKey.get(key);
    if (known) {
      known.nodes += 1;
      return known;
    }
    const cell: Cell = { state, nodes: 1, scores: [] };
    this.#byKey.set(key, cell);
    return cell;
  }

  #forgetScores(): void {
    for (const cell of this.#byKey.values()) cell.scores = [];
  }
}
