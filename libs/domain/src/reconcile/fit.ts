import type { CheckResult, DriverName } from '@skerry/contracts';

/** What a node can give. */
export interface Room {
  readonly cpuMillicores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

/** What one workload needs of a node. */
export interface Need {
  readonly replicas: number;
  readonly each: Room;
  readonly driver: DriverName;
  /** Ports it insists on, as `<protocol>/<number>`. */
  readonly fixedPorts: readonly string[];
}

/** What a node gives already: kept as sums, so that one more need is judged without looking at the rest. */
export class Given {
  private readonly needs = new Map<string, Need>();
  private readonly used = { cpuMillicores: 0, memoryMiB: 0, diskMiB: 0 };
  private readonly ports = new Map<string, number>();

  /** Says what `key` takes from now on; undefined for nothing. */
  set(key: string, need: Need | undefined): void {
    const before = this.needs.get(key);
    if (before !== undefined) this.add(before, -1);
    if (need === undefined) this.needs.delete(key);
    else this.needs.set(key, need);
    if (need !== undefined) this.add(need, 1);
  }

  /** The first check that `need` of `key` fails on a node beside all others; undefined when it fits. */
  misfit(
    key: string,
    need: Need,
    node: { allocatable: Room; drivers: readonly DriverName[] },
  ): CheckResult | undefined {
    const own = this.needs.get(key);
    this.set(key, undefined);
    const misfit =
      driverMisfit(need, node.drivers) ??
      portMisfit(need, (port) => (this.ports.get(port) ?? 0) > 0) ??
      roomMisfit(need, node.allocatable, this.used);
    this.set(key, own);
    return misfit;
  }

  private add(need: Need, sign: 1 | -1): void {
    this.used.cpuMillicores += sign * need.replicas * need.each.cpuMillicores;
    this.used.memoryMiB += sign * need.replicas * need.each.memoryMiB;
    this.used.diskMiB += sign * need.replicas * need.each.diskMiB;
    if (need.replicas === 0) return;
    for (const port of need.fixedPorts) this.ports.set(port, (this.ports.get(port) ?? 0) + sign);
  }
}

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
