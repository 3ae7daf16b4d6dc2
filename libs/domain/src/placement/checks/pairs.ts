import { workloadKey } from '@skerry/contracts';
import { partnerOf } from '../partner.js';
import { SiteIndex } from '../site-index.js';
import type { Check, CheckContext, PlaceRequest, Snapshot } from '../types.js';
import { labelFacet } from './facets.js';

/** Within one value of `over` with another workload: where that one is placed. Before it is, nowhere. */
export const affinity: Check = {
  name: 'affinity',
  reads: ({ workload }) => labelFacet(workload.spec.placement.affinity.map(({ over }) => over)),
  prepare(request, snapshot) {
    const pairs = pairsOf('affinity', request, snapshot);
    if (pairs.length === 0) return undefined;
    return ({ labels }) =>
      pairs.every(({ over, held }) => held.has(labels.get(over) ?? '')) ? Number.POSITIVE_INFINITY : 0;
  },
  explain(context) {
    const { facts } = context;
    const pairs = pairsOf('affinity', context.request, context.snapshot);
    const unmet = pairs.find(({ over, held }) => !held.has(facts.labels.get(over) ?? ''));
    if (pairs.length === 0) return { has: 'no affinity', needs: 'nothing' };
    const { over, held, name } = unmet ?? pairs[0] ?? { over: '', held: new Set<string>(), name: '' };
    const where = [...held].toSorted().slice(0, 8).join(', ');
    return {
      has: `${over}=${facts.labels.get(over) ?? '(none)'}`,
      needs: where === '' ? `${name} placed somewhere` : `${over}=${where}, where ${name} is`,
      ...(unmet ? { remedy: where === '' ? `place ${name} first` : remedyOf(context, name, over) } : {}),
    };
  },
};

/** In no value of `over` in which the other workload is placed. A site without the label is apart from everything. */
export const antiAffinity: Check = {
  name: 'anti-affinity',
  reads: ({ workload }) => labelFacet(workload.spec.placement.antiAffinity.map(({ over }) => over)),
  prepare(request, snapshot) {
    const pairs = pairsOf('antiAffinity', request, snapshot).filter(({ held }) => held.size > 0);
    if (pairs.length === 0) return undefined;
    return ({ labels }) =>
      pairs.some(({ over, held }) => held.has(labels.get(over) ?? '')) ? 0 : Number.POSITIVE_INFINITY;
  },
  explain({ facts, request, snapshot }) {
    const pairs = pairsOf('antiAffinity', request, snapshot);
    const clash = pairs.find(({ over, held }) => held.has(facts.labels.get(over) ?? ''));
    const [first] = pairs;
    if (!first) return { has: 'no anti-affinity', needs: 'nothing' };
    const { over, name } = clash ?? first;
    const at = `${over}=${facts.labels.get(over) ?? '(none)'}`;
    return {
      has: clash ? `${name} in ${at}` : at,
      needs: `no replica of ${name} in the same ${over}`,
      ...(clash ? { remedy: `move ${name} away from ${at}` } : {}),
    };
  },
};

interface Pair {
  readonly name: string;
  readonly over: string;
  /** Values of `over` where the other workload has replicas. */
  readonly held: ReadonlySet<string>;
}

function pairsOf(kind: 'affinity' | 'antiAffinity', { workload }: PlaceRequest, snapshot: Snapshot): Pair[] {
  return workload.spec.placement[kind].map(({ workload: reference, over }) => {
    const { project, name } = partnerOf(reference, workload.project);
    return { name: `${project}/${name}`, over, held: valuesHeld(workloadKey(project, name), over, snapshot) };
  });
}

function valuesHeld(key: string, over: string, { ledger, sites }: Snapshot): Set<string> {
  const index = SiteIndex.of(sites);
  const values = ledger.heldBy(key).flatMap(({ site, replicas }) => {
    const value = index.sites[index.ordinal(site) ?? -1]?.labels.get(over);
    return replicas > 0 && value !== undefined ? [value] : [];
  });
  return new Set(values);
}

function remedyOf({ facts }: CheckContext, name: string, over: string): string {
  return `place a replica of ${name} in ${over}=${facts.labels.get(over) ?? '(none)'}`;
}
