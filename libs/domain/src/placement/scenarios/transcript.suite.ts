import type { Placement, SiteExplanation } from '@skerry/contracts';

/** A decision as an operator reads it: a line for all of it, one for each site, and what stood in the way. */
export function linesOf(placement: Placement): string[] {
  const { name, state, wanted, shares, latencyMs, costPerMonth, runnerUp, failedChecks } = placement;
  const total = shares.reduce((sum, s) => sum + (s.until === 'returned' ? 0 : s.replicas), 0);
  const latency = latencyMs === undefined ? '' : `, users at ${latencyMs.toFixed(1)} ms`;
  const failed = Object.entries(failedChecks).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    `  ${name} ${state}: ${total} of ${wanted}, ${costPerMonth.toFixed(2)} a month${latency}`,
    ...shares.map((s) => `    ${s.site.padEnd(10)} ${s.replicas}  ${s.why}`),
    ...(runnerUp
      ? [
          `    next best: ${runnerUp.site} in place of ${runnerUp.insteadOf}, ${runnerUp.worseBy.toFixed(2)} worse`,
        ]
      : []),
    ...(placement.preempted ?? []).map((p) => `    took the room of ${p.replicas} of ${p.name} at ${p.site}`),
    ...(placement.after ? [`    begins after it has ended at ${placement.after.join(', ')}`] : []),
    ...(failed.length > 0
      ? [`    failed: ${failed.map(([check, n]) => `${check} at ${n}`).join(', ')}`]
      : []),
  ];
}

/** Every site with its verdict: its rank and cost alone, or each check that it fails. */
export function whyLines(sites: readonly SiteExplanation[]): string[] {
  return sites.flatMap((site) => {
    const cost = site.terms.reduce((sum, t) => sum + t.cost, 0);
    const head = `  ${site.site.padEnd(10)} ${site.chosen > 0 ? `chosen ${site.chosen}` : site.feasible ? 'feasible' : 'rejected'}`;
    if (site.feasible)
      return [`${head}${site.rank === undefined ? '' : `, rank ${site.rank}, alone ${cost.toFixed(2)}`}`];
    return [
      head,
      ...site.checks
        .filter((c) => !c.ok)
        .map(
          (c) =>
            `    ${c.check}: has ${c.has}; needs ${c.needs}${c.remedy === undefined ? '' : `; to fit: ${c.remedy}`}`,
        ),
    ];
  });
}
