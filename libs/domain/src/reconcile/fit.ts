import type { CheckResult, DriverName, GpuRequest } from '@skerry/contracts';
import { NodePacker, type PlacedReplica } from '../placement/nodes/node-packer.js';
import { misfitOn } from '../placement/nodes/node-state.js';

/** What a node can give. */
export interface Room {
  readonly cpuMillicores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly gpus?: number | undefined;
  readonly gpuModel?: string | undefined;
}

/** What one workload needs of a node. */
export interface Need {
  readonly replicas: number;
  readonly each: {
    readonly cpuMillicores: number;
    readonly memoryMiB: number;
    readonly diskMiB: number;
    readonly gpu?: GpuRequest | undefined;
  };
  readonly driver: DriverName;
  /** Ports it insists on, as `<protocol>/<number>`. */
  readonly fixedPorts: readonly string[];
  /** Which slots these replicas have, of how many the site has; absent: 0 to `replicas - 1`, the only ones there are. */
  readonly slots?: { readonly mine: readonly number[]; readonly of: number } | undefined;
}

/** GPUs of a replica by its slot. */
export type GpusBySlot = ReadonlyMap<number, readonly number[]>;

/** What a node gives already: kept as sums, so that one more need is judged without looking at the rest. */
export class Given {
  private readonly needs = new Map<string, Need>();
  private readonly used = { cpuMillicores: 0, memoryMiB: 0, diskMiB: 0 };
  private readonly ports = new Map<string, number>();
  /** Only the GPUs of this node; the rest of its room is a matter of sums. */
  private readonly gpus: NodePacker;
  /** By key and slot; a slot that no GPU could be found for is not there. */
  private readonly placed = new Map<string, Map<number, PlacedReplica>>();

  constructor(private readonly node: { allocatable: Room; drivers: readonly DriverName[] }) {
    const { gpus, gpuModel } = node.allocatable;
    this.gpus = new NodePacker([{ name: 'this node', ...NOTHING, gpus, gpuModel }]);
  }

  /**
   * Says what `key` takes from now on; undefined for nothing. GPUs are chosen for each slot: those in `held` (what runs
   * already), else those it had before, else by the packing engine.
   */
  set(key: string, need: Need | undefined, held: GpusBySlot = new Map()): void {
    const before = this.needs.get(key);
    if (before !== undefined) this.add(before, -1);
    if (need === undefined) this.needs.delete(key);
    else this.needs.set(key, need);
    if (need !== undefined) this.add(need, 1);
    this.placeGpus(key, need, held);
  }

  /**
   * GPUs of a replica, by index on this node; none for one that wants none. Undefined when there are none left for it. Slots
   * beyond the replicas (runs of a cron that overlap) take turns at the GPUs of those.
   */
  gpusOf(key: string, slot: number): readonly number[] | undefined {
    const need = this.needs.get(key);
    if (need?.each.gpu === undefined) return [];
    return this.placed.get(key)?.get(slot % slotCount(need))?.gpus;
  }

  /** The first check that `need` of `key` fails on the node beside all others; undefined when it fits. */
  misfit(key: string, need: Need): CheckResult | undefined {
    const own = this.needs.get(key);
    if (own !== undefined) this.add(own, -1);
    const misfit =
      driverMisfit(need, this.node.drivers) ??
      portMisfit(need, (port) => (this.ports.get(port) ?? 0) > 0) ??
      roomMisfit(need, this.node.allocatable, this.used) ??
      this.gpuMisfit(key, need);
    if (own !== undefined) this.add(own, 1);
    return misfit;
  }

  /** What is left of cpu, memory and disk; 0 where more is given than there is. */
  get free(): Pick<Room, 'cpuMillicores' | 'memoryMiB' | 'diskMiB'> {
    const { allocatable } = this.node;
    return {
      cpuMillicores: Math.max(0, allocatable.cpuMillicores - this.used.cpuMillicores),
      memoryMiB: Math.max(0, allocatable.memoryMiB - this.used.memoryMiB),
      diskMiB: Math.max(0, allocatable.diskMiB - this.used.diskMiB),
    };
  }

  private add(need: Need, sign: 1 | -1): void {
    this.used.cpuMillicores += sign * need.replicas * need.each.cpuMillicores;
    this.used.memoryMiB += sign * need.replicas * need.each.memoryMiB;
    this.used.diskMiB += sign * need.replicas * need.each.diskMiB;
    if (need.replicas === 0) return;
    for (const port of need.fixedPorts) this.ports.set(port, (this.ports.get(port) ?? 0) + sign);
  }

  private placeGpus(key: string, need: Need | undefined, held: GpusBySlot): void {
    const before = this.placed.get(key) ?? NONE;
    if (need?.each.gpu !== undefined) this.gpus.learn({ ...NOTHING, gpu: need.each.gpu });
    const { placed } = this.exchange(before, need, held);
    if (placed.size > 0) this.placed.set(key, placed);
    else this.placed.delete(key);
  }

  /** Exchanges what the key has for what it would get, and back. */
  private gpuMisfit(key: string, need: Need): CheckResult | undefined {
    const before = this.placed.get(key) ?? NONE;
    const { placed, short } = this.exchange(before, need, new Map());
    for (const replica of placed.values()) this.gpus.giveBack(replica);
    for (const replica of before.values()) this.gpus.take(replica);
    return short;
  }

  private exchange(before: ReadonlyMap<number, PlacedReplica>, need: Need | undefined, held: GpusBySlot) {
    for (const replica of before.values()) this.gpus.giveBack(replica);
    const placed = new Map<number, PlacedReplica>();
    if (need?.each.gpu === undefined) return { placed, short: undefined };
    const wanted = { ...NOTHING, gpu: need.each.gpu };
    for (const slot of slotsOf(need)) {
      const running = [...held].find(([other]) => other % slotCount(need) === slot)?.[1];
      const same = running ?? before.get(slot)?.gpus;
      if (same === undefined || !this.gpus.takeIfFree(0, wanted, same)) continue;
      placed.set(slot, { node: 0, need: wanted, gpus: same, score: 0 });
    }
    for (const slot of slotsOf(need)) {
      if (placed.has(slot)) continue;
      const found = this.gpus.choose(wanted);
      if (!found) return { placed, short: this.gpuShort(wanted, need.replicas, placed.size) };
      this.gpus.take(found);
      placed.set(slot, found);
    }
    return { placed, short: undefined };
  }

  private gpuShort(
    wanted: typeof NOTHING & { gpu: GpuRequest },
    replicas: number,
    placed: number,
  ): CheckResult | undefined {
    const state = this.gpus.free(0);
    const short = state && misfitOn(state, wanted);
    if (!short || replicas === 1) return short;
    const after = placed > 0 ? ` after ${placed} of ${replicas} replicas` : '';
    return {
      ...short,
      has: `${short.has}${after}`,
      needs: `${short.needs} for each of ${replicas} replicas`,
    };
  }
}

const NONE: ReadonlyMap<number, PlacedReplica> = new Map();
const NOTHING = { cpuMillicores: 0, memoryMiB: 0, diskMiB: 0 };

function slotsOf({ replicas, slots }: Need): readonly number[] {
  return slots?.mine ?? Array.from({ length: replicas }, (_, slot) => slot);
}

/** Runs of a cron that overlap have slots beyond these, which take turns. */
const slotCount = ({ replicas, slots }: Need) => Math.max(1, slots?.of ?? replicas);

function driverMisfit(need: Need, drivers: readonly DriverName[]): CheckResult | undefined {
  if (need.replicas === 0 || drivers.includes(need.driver)) return undefined;
  return { check: 'driver', ok: false, has: drivers.join(', ') || 'none', needs: need.driver };
}

function portMisfit(need: Need, isTaken: (port: string) => boolean): CheckResult | undefined {
  if (need.replicas === 0 || need.fixedPorts.length === 0) return undefined;
  if (need.replicas > 1) {
    return {
      check: 'ports',
      ok: false,
      has: 'one node, on which a port can be taken once',
      needs: `${need.replicas} replicas on ${need.fixedPorts.join(', ')}`,
      remedy: 'leave out `port`, so that the agent picks a free one for each replica',
    };
  }
  const clash = need.fixedPorts.find(isTaken);
  if (clash === undefined) return undefined;
  return { check: 'ports', ok: false, has: `${clash} taken by another workload`, needs: clash };
}

const DIMENSIONS = [
  ['cpuMillicores', 'cpu', 'm'],
  ['memoryMiB', 'memory', ' MiB'],
  ['diskMiB', 'disk', ' MiB'],
] as const;

function roomMisfit(need: Need, room: Room, used: Room): CheckResult | undefined {
  for (const [dimension, name, unit] of DIMENSIONS) {
    const wanted = need.replicas * need.each[dimension];
    const free = Math.max(0, room[dimension] - used[dimension]);
    if (wanted <= free) continue;
    return {
      check: 'capacity',
      ok: false,
      has: `${free}${unit} of ${name} free of ${room[dimension]}${unit}`,
      needs: `${wanted}${unit}`,
    };
  }
  return undefined;
}
