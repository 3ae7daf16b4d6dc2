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

/** The first check that a need fails on a node which already gives `given`; undefined when it fits. */
export function firstMisfit(
  need: Need,
  node: { allocatable: Room; drivers: readonly DriverName[] },
  given: readonly Need[],
): CheckResult | undefined {
  return (
    driverMisfit(need, node.drivers) ?? portMisfit(need, given) ?? roomMisfit(need, node.allocatable, given)
  );
}

function driverMisfit(need: Need, drivers: readonly DriverName[]): CheckResult | undefined {
  if (need.replicas === 0 || drivers.includes(need.driver)) return undefined;
  return { check: 'driver', ok: false, has: drivers.join(', ') || 'none', needs: need.driver };
}

function portMisfit(need: Need, given: readonly Need[]): CheckResult | undefined {
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
  const taken = new Set(given.filter((g) => g.replicas > 0).flatMap((g) => g.fixedPorts));
  const clash = need.fixedPorts.find((p) => taken.has(p));
  if (clash === undefined) return undefined;
  return { check: 'ports', ok: false, has: `${clash} taken by another workload`, needs: clash };
}

const DIMENSIONS = [
  ['cpuMillicores', 'cpu', 'm'],
  ['memoryMiB', 'memory', ' MiB'],
  ['diskMiB', 'disk', ' MiB'],
] as const;

function roomMisfit(need: Need, room: Room, given: readonly Need[]): CheckResult | undefined {
  const used = usedOf(given);
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

function usedOf(given: readonly Need[]): Room {
  const used = { cpuMillicores: 0, memoryMiB: 0, diskMiB: 0 };
  for (const { replicas, each } of given) {
    used.cpuMillicores += replicas * each.cpuMillicores;
    used.memoryMiB += replicas * each.memoryMiB;
    used.diskMiB += replicas * each.diskMiB;
  }
  return used;
}
