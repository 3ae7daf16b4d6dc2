import type { NodePhase, SiteStanding } from '@skerry/contracts';

/**
 * What is said of a site whose nodes stand so; undefined while one of them takes new work, and when none is there. Of nodes
 * that are lost or removed nothing is left that could stay or go.
 */
export function siteStanding(nodes: Iterable<NodePhase>): SiteStanding | undefined {
  const there = [...nodes].filter((n) => n !== 'lost' && n !== 'removed');
  if (there.length === 0 || there.some((n) => n === 'ready' || n === 'suspect')) return undefined;
  return there.every((n) => n === 'draining') ? 'draining' : 'cordoned';
}

/**
 * Nodes whose rooms count as the site's: those that take new work. When none does, those that are as the site is said to be:
 * without room for what is to stay, or to leave once it runs elsewhere, the centre would take it away at once.
 */
export function countedNodes(nodes: ReadonlyMap<string, NodePhase>): Set<string> {
  const standing = siteStanding(nodes.values());
  const counts = (phase: NodePhase) =>
    standing === undefined ? phase === 'ready' || phase === 'suspect' : phase === standing;
  return new Set([...nodes].flatMap(([name, phase]) => (counts(phase) ? [name] : [])));
}
