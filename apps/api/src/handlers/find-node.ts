import { Refusal } from '@skerry/contracts';
import type { FleetStore } from '../stores/fleet.store.js';

/** A node as a person names it: `SITE/NODE`. */
export interface NamedNode {
  site: string;
  node: string;
}

type Fleet = Pick<FleetStore, 'nodes' | 'site'>;

/** A node that the cloud knows; throws `Refusal` else: a typing error must not become a rule for a node that comes one day. */
export function knownNode(fleet: Fleet, named: NamedNode): NamedNode {
  const { site, node } = named;
  const nodes = fleet.nodes().filter((n) => n.site === site);
  const ruled = fleet.site(site)?.nodes?.[node] !== undefined;
  if (ruled || nodes.some((n) => n.node === node)) return named;
  const known = nodes.map((n) => n.node).join(', ');
  throw new Refusal('not-found', `no node ${node} at the site ${site}`, {
    hint: known === '' ? 'see `skerry node ls`' : `it has ${known}`,
  });
}

/** As `knownNode`; the last node of a site goes with the site: nobody would be left to say that it is empty. */
export function removableNode(fleet: Fleet, named: NamedNode): NamedNode {
  const { site, node } = knownNode(fleet, named);
  const rules = fleet.site(site)?.nodes ?? {};
  const others = fleet.nodes().filter((n) => n.site === site && n.node !== node);
  if (rules[node] === 'removed' || others.some((n) => rules[n.node] !== 'removed')) return named;
  throw new Refusal('conflict', `${node} is the only node of the site ${site}`, {
    hint: `remove the site: skerry site rm ${site}; or empty the node: skerry node drain ${site}/${node}`,
  });
}
