import { Ledger, type Holding } from './ledger.js';
import type { Snapshot } from './types.js';

/** The same sites with a ledger of their own that holds the same on the same nodes: to try out what is not done. */
export function withOwnLedger<T extends Pick<Snapshot, 'sites'> & { readonly ledger: Ledger }>(
  snapshot: T,
): T {
  const from: Ledger = snapshot.ledger;
  const ledger = new Ledger();
  const held = new Map<string, Map<string, Holding>>();
  for (const { name, state } of snapshot.sites) {
    if (state) ledger.setCapacity(name, state.capacity);
    for (const [key, holding] of from.holdingsAt(name)) {
      held.set(key, (held.get(key) ?? new Map<string, Holding>()).set(name, holding));
    }
  }
  for (const [key, holdings] of held) ledger.attach(key, holdings);
  return { ...snapshot, ledger };
}
