import type { Issue } from '@skerry/contracts';
import { partnerOf } from '../../placement/index.js';
import type { Around, Draft } from '../contradictions.js';
import { canonical } from './possible-values.js';

/** Affinities followed from one workload to the next before it is no longer looked whether they come back. */
const CHAIN_MAX = 32;

/** Affinities that could never be met: to itself, with both at once, or in a circle in which nobody can be the first. */
export function pairFaults(draft: Draft, around: Around): Issue[] {
  return [
    ...toItself(draft),
    ...bothAtOnce(draft),
    ...inACircle(draft, around),
    ...pushedAway(draft, around),
  ];
}

type Kind = 'affinity' | 'antiAffinity';
const keyOf = ({ project, name }: { project: string; name: string }) => `${project}/${name}`;

function pairsOf({ project, spec }: Draft, kind: Kind) {
  return spec.placement[kind].map(({ workload, over }, at) => {
    return {
      partner: partnerOf(workload, project),
      over: canonical(over),
      path: `spec.placement.${kind}[${at}]`,
    };
  });
}

function toItself(draft: Draft): Issue[] {
  return (['affinity', 'antiAffinity'] as const).flatMap((kind) =>
    pairsOf(draft, kind)
      .filter(({ partner }) => keyOf(partner) === keyOf(draft))
      .map(({ path, over }) => ({
        path: `${path}.workload`,
        problem: 'the workload itself',
        value: keyOf(draft),
        allowed: kind === 'affinity' ? 'another workload' : `another workload; or distinct: ${over}`,
      })),
  );
}

/** Whether being together in `near` keeps from being apart in `apart`: at one site everything is the same. */
function excludes(near: string, apart: string): boolean {
  return near === apart || near === 'name';
}

function bothAtOnce(draft: Draft): Issue[] {
  const apart = pairsOf(draft, 'antiAffinity');
  return pairsOf(draft, 'affinity').flatMap(({ partner, over, path }) => {
    const against = apart.find((a) => keyOf(a.partner) === keyOf(partner) && excludes(over, a.over));
    if (!against) return [];
    const problem = `near to ${keyOf(partner)} here, and apart from it in ${against.path}`;
    return [{ path, problem, value: over, allowed: 'one of the two' }];
  });
}

/** The other one keeps away from this one: each placement of the one would drive the other out. */
function pushedAway(draft: Draft, around: Around): Issue[] {
  const faults = (mine: Kind, theirs: Kind) =>
    pairsOf(draft, mine).flatMap(({ partner, over, path }) => {
      const other = around.workload(partner.project, partner.name);
      const back = other && pairsOf(other, theirs).find((p) => keyOf(p.partner) === keyOf(draft));
      const clash = back && (mine === 'affinity' ? excludes(over, back.over) : excludes(back.over, over));
      if (!clash) return [];
      const says = theirs === 'antiAffinity' ? 'keeps away from' : 'follows';
      const problem = `${keyOf(partner)} ${says} this workload over ${back.over}: each would drive the other out`;
      return [{ path, problem, value: keyOf(partner), allowed: 'another rule here or there' }];
    });
  return [...faults('affinity', 'antiAffinity'), ...faults('antiAffinity', 'affinity')];
}

function inACircle(draft: Draft, around: Around): Issue[] {
  return pairsOf(draft, 'affinity').flatMap(({ partner, path }) => {
    const circle = keyOf(partner) === keyOf(draft) ? undefined : wayBack(partner, draft, around);
    if (!circle) return [];
    const problem = `a circle, in which none can be placed first: ${[keyOf(draft), ...circle].join(' → ')}`;
    return [{ path, problem, value: keyOf(partner), allowed: 'an affinity in one direction' }];
  });
}

/** The way by affinities from one workload to another, both ends named; undefined when there is none. */
function wayBack(from: { project: string; name: string }, to: Draft, around: Around): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[keyOf(from), undefined]]);
  const queue = [from];
  for (let steps = 0; steps < CHAIN_MAX; steps += 1) {
    const next = queue.shift();
    const known = next && around.workload(next.project, next.name);
    if (next === undefined) return undefined;
    if (!known) continue;
    for (const { partner } of pairsOf(known, 'affinity')) {
      if (cameFrom.has(keyOf(partner))) continue;
      cameFrom.set(keyOf(partner), keyOf(next));
      if (keyOf(partner) === keyOf(to)) return trail(keyOf(partner), cameFrom);
      queue.push(partner);
    }
  }
  return undefined;
}

function trail(end: string, cameFrom: ReadonlyMap<string, string | undefined>): string[] {
  const way: string[] = [];
  for (let at: string | undefined = end; at !== undefined; at = cameFrom.get(at)) way.unshift(at);
  return way;
}
