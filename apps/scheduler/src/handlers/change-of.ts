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

function leaves(previous: Placement, next: Placement): boolean {
  const after = new Map(next.shares.map((s) => [s.site, s.replicas]));
  return previous.shares.some((s) => (after.get(s.site) ?? 0) < s.replicas);
}
