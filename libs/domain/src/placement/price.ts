import type { Prices, Resources } from '@skerry/contracts';

/** Currency units a month of one replica at a site's prices. */
export function replicaPrice(prices: Prices, need: Resources): number {
  return (
    (need.cpuMillicores / 1_000) * prices.cpuCoreMonth + (need.memoryMiB / 1_024) * prices.memoryGiBMonth
  );
}
