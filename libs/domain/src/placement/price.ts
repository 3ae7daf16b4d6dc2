import type { GpuRequest, Prices, Resources } from '@skerry/contracts';

/** Currency units a month of one replica at a site's prices; a share of a GPU costs its part. */
export function replicaPrice(prices: Prices, need: Resources): number {
  const gpus = need.gpu === undefined ? 0 : pricedGpus(need.gpu);
  return (
    (need.cpuMillicores / 1_000) * prices.cpuCoreMonth +
    (need.memoryMiB / 1_024) * prices.memoryGiBMonth +
    gpus * prices.gpuMonth
  );
}

/** What of a replica is paid for: cores, GiB of memory, GPUs. */
export function pricedParts({
  cpuMillicores,
  memoryMiB,
  gpu,
}: Resources): readonly [cores: number, memoryGiB: number, gpus: number] {
  return [cpuMillicores / 1_000, memoryMiB / 1_024, gpu ? pricedGpus(gpu) : 0];
}

function pricedGpus({ count, shareMilli }: GpuRequest): number {
  return count * ((shareMilli ?? 1_000) / 1_000);
}
