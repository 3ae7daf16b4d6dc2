import type { Prices, Resources } from '@skerry/contracts';

/** Currency units a month of one replica at a site's prices; a share of a GPU costs its part. */
export function replicaPrice(prices: Prices, need: Resources): number {
  const [cores, memoryGiB, gpus] = pricedParts(need);
  return cores * prices.cpuCoreMonth + memoryGiB * prices.memoryGiBMonth + gpus * prices.gpuMonth;
}

/** What of a replica is paid for: cores, GiB of memory, GPUs. */
export function pricedParts({
  cpuMillicores,
  memoryMiB,
  gpu,
}: Resources): readonly [cores: number, memoryGiB: number, gpus: number] {
  return [
    cpuMillicores / 1_000,
    memoryMiB / 1_024,
    gpu ? gpu.count * ((gpu.shareMilli ?? 1_000) / 1_000) : 0,
  ];
}
