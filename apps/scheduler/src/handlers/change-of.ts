import type { Placement } from '@skerry/contracts';

/** What a decision changed, as told in the header of its write: its event is made from it. */
export type PlacementChange = 'placed' | 'moved' | 'unplaceable' | 'stopped' | 'removed';

/** `moved`: the same generation, some of its replicas now elsewhere. */
export function changeOf(previous: Placement | undefined, next: Placement): PlacementChange {
  switch (next.state) {
    case 'stopped':
    case 'removed':
    case 'unplaceable':
      return next.state;
    case 'placed':
    case 'partial':
      return previous?.version.generation === next.version.generation && leaves(previous, next)
        ? 'moved'
        : 'placed';
  }
}

/** What waits for a site to return is placed elsewhere: it has left. */
function leaves(previous: Placement, next: Placement): boolean {
  const after = new Map(there(next).map((s) => [s.site, s.replicas]));
  return there(previous).some((s) => (after.get(s.site) ?? 0) < s.replicas);
}

function there({ shares }: Placement): Placement['shares'] {
  return shares.filter((s) => s.until !== 'returned');
}
