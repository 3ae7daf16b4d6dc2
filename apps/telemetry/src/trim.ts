import { LIMITS, type Status } from '@skerry/contracts';

/** A status with at most `count` replicas a site, saying so in its reasons when some are left out. */
export function withFewReplicas(status: Status, count: number): Status {
  const left = status.sites.reduce((n, s) => n + Math.max(0, s.replicas.length - count), 0);
  if (left === 0) return status;
  return {
    ...status,
    sites: status.sites.map((s) => ({ ...s, replicas: s.replicas.slice(0, count) })),
    reasons: [...status.reasons, `${left} replicas are not shown`],
  };
}

/** A status that fits in a message: with fewer replicas when all would be too many. */
export function fitting(status: Status): Status {
  let count = Math.max(0, ...status.sites.map((s) => s.replicas.length));
  let fit = status;
  while (count > 0 && Buffer.byteLength(JSON.stringify(fit)) > LIMITS.statusPageBytes) {
    count = Math.floor(count / 2);
    fit = withFewReplicas(status, count);
  }
  return fit;
}
