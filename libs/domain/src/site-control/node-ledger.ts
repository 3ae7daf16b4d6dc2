import type { Assignment, CheckResult, DriverName } from '@skerry/contracts';
import { placeOnNodes } from '../placement/nodes/place-on-nodes.js';
import { Given, type Need, type Room } from '../reconcile/fit.js';

/** A machine of the site, as far as placing on it goes. */
export interface SiteNode {
  readonly name: string;
  readonly room: Room;
  readonly drivers: readonly DriverName[];
}

/** What one replica of an assignment needs of a node. */
export type EachNeed = Omit<Need, 'replicas' | 'slots'>;

/** What an assignment needs for each of its replicas. */
export function eachNeedOf({ run, resources }: Pick<Assignment, 'run' | 'resources'>): EachNeed {
  const fixed = run.ports.flatMap((p) => (p.port === undefined ? [] : [`${p.protocol}/${p.port}`]));
  // Pretended replicas open no ports.
  return { each: resources, driver: run.driver, fixedPorts: run.driver === 'mock' ? [] : fixed };
}

/** What every node of a site gives to which workload: kept as sums, so that one more replica is judged at once. */
export class NodeLedger {
  private readonly given = new Map<string, Given>();
  private readonly rooms = new Map<string, SiteNode>();
  private readonly counts = new Map<string, ReadonlyMap<string, number>>();

  constructor(nodes: readonly SiteNode[]) {
    for (const node of nodes) {
      this.rooms.set(node.name, node);
      this.given.set(node.name, new Given({ allocatable: node.room, drivers: node.drivers }));
    }
  }

  /** Replaces what a workload takes: one entry of `slots` for each replica, with the name of its node (empty for none). */
  set(key: string, need: EachNeed | undefined, slots: readonly string[]): void {
    for (const node of this.counts.get(key)?.keys() ?? []) this.given.get(node)?.set(key, undefined);
    const counts = need === undefined ? new Map<string, number>() : countOf(slots);
    if (counts.size === 0) this.counts.delete(key);
    else this.counts.set(key, counts);
    if (need === undefined) return;
    for (const [node, replicas] of counts) this.given.get(node)?.set(key, { ...need, replicas });
  }

  /** Why a node cannot hold so many replicas of a workload beside all others; undefined when it can. */
  misfit(key: string, node: string, need: EachNeed, replicas: number): CheckResult | undefined {
    const given = this.given.get(node);
    if (given === undefined) return { check: 'node', ok: false, has: 'no such node', needs: node };
    return given.misfit(key, { ...need, replicas });
  }

  /** The best of these nodes for one more replica, by the packing engine; all of them have room for it. */
  choose(nodes: readonly string[], need: EachNeed): string | undefined {
    if (nodes.length <= 1) return nodes[0];
    const sizes = nodes.map((name) => {
      const { gpus, gpuModel } = this.rooms.get(name)?.room ?? {};
      return { name, ...(this.given.get(name)?.free ?? NOTHING), gpus, gpuModel };
    });
    return placeOnNodes({ nodes: sizes, need: need.each, replicas: 1 }).placed[0]?.node ?? nodes[0];
  }
}

const NOTHING = { cpuMillicores: 0, memoryMiB: 0, diskMiB: 0 };

/** Replicas by node. */
export function countOf(slots: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const node of slots) if (node !== '') counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}
