import type { Check } from '../types.js';

/** The site's uplink carries at least what is asked for; one that is not known does not pass. */
export const bandwidth: Check = {
  name: 'bandwidth',
  reads: () => ({ key: 'bandwidth', of: ({ site }) => String(site.bandwidthMbps) }),
  prepare({ workload }) {
    const { minBandwidthMbps } = workload.spec.placement;
    if (minBandwidthMbps === undefined) return undefined;
    return ({ site }) => ((site.bandwidthMbps ?? -1) >= minBandwidthMbps ? Number.POSITIVE_INFINITY : 0);
  },
  explain({ facts, request }) {
    const { minBandwidthMbps } = request.workload.spec.placement;
    const has = facts.site.bandwidthMbps;
    const short = minBandwidthMbps !== undefined && (has ?? -1) < minBandwidthMbps;
    return {
      has: has === undefined ? 'a bandwidth that is not known' : `${has} Mbit/s`,
      needs: minBandwidthMbps === undefined ? 'any bandwidth' : `at least ${minBandwidthMbps} Mbit/s`,
      ...(short
        ? { remedy: has === undefined ? `say the bandwidth of ${facts.name}` : `minBandwidthMbps: ${has}` }
        : {}),
    };
  },
};
