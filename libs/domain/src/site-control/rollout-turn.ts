/** What the nodes report of one slot, on the node that it is allotted to. */
export interface SlotState {
  readonly node: string;
  /** Of an older version than the one allotted. */
  readonly outdated: boolean;
  /** Running, or ended as it should. */
  readonly fine: boolean;
}

/**
 * The only node that may exchange running replicas now, so that no more of the site's are down at once than the workload
 * allows; undefined when it does not matter. A node keeps its turn until all that it has is new and fine.
 */
export function turnOf(
  slots: readonly SlotState[],
  before: string | undefined,
  maxUnavailable: number,
): string | undefined {
  const nodes = [...new Set(slots.map((s) => s.node))].toSorted();
  const busy = (node: string) => slots.some((s) => s.node === node && (s.outdated || !s.fine));
  const outdated = nodes.filter((node) => slots.some((s) => s.node === node && s.outdated));
  if (outdated.length === 0 || nodes.length < 2) return undefined;
  if (before !== undefined && busy(before) && nodes.includes(before)) return before;
  const down = slots.filter((s) => !s.fine);
  // As many are down as may be: nobody else begins before they are back.
  if (down.length >= maxUnavailable) return down[0]?.node;
  return outdated[0];
}
