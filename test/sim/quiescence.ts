import { desiredSubject, observedSubject, STREAMS, type Workload } from '@skerry/contracts';
import type { Cloud } from './cloud.js';
import { mayRunIn, type Invariants } from './invariants.js';
import type { People } from './people.js';
import type { SimSite } from './sim-site.js';

/** What is not as it is wanted; nothing, once everything has come to rest. */
export function unrest(cloud: Cloud, people: People, invariants: Invariants): string[] {
  const sites = cloud.sites.flatMap(({ name }) => {
    const phase = invariants.states.get(name)?.phase;
    return phase === 'ready' ? [] : [`${name} is ${phase ?? 'unknown'}`];
  });
  const shut = cloud.sites.flatMap(({ name }) =>
    cloud.claims.letsIn(name) ? [] : [`the hub does not let ${name} in`],
  );
  const { open } = people.commands;
  const unanswered = open > 0 ? [`${open} commands have no outcome`] : [];
  return [
    ...sites,
    ...shut,
    ...unanswered,
    ...people.keys(true).flatMap((key) => unrestOf(key, cloud, people, invariants)),
  ];
}

function unrestOf(key: string, cloud: Cloud, people: People, invariants: Invariants): string[] {
  const workload = people.newest(key);
  const accepted = people.commands.acknowledged.get(key) ?? 0;
  const placement = invariants.placements.get(key);
  if (workload === undefined || placement === undefined) return [`${key} is not placed`];
  const { generation } = placement.version;
  if (generation < accepted) return [`${key}: generation ${accepted} was accepted, ${generation} is placed`];
  const stays = workload.spec.data !== undefined && placement.state === 'unplaceable';
  if (!stays && placement.shares.some((s) => s.until !== undefined)) return [`${key} is being handed over`];
  const problems = cloud.sites.flatMap((site) => {
    const found = placement.shares.find((s) => s.site === site.name);
    const share = found?.replicas ?? 0;
    // What stays where its dataset may not be any more does not begin there again.
    if (stays && found?.until !== undefined && !site.replicas.some((r) => r.key === key)) return [];
    return unrestAt(site, workload, share, { cloud, invariants });
  });
  return [...problems, ...stuck(workload, cloud, invariants)];
}

function unrestAt(
  site: SimSite,
  { project, name, spec }: Workload,
  wanted: number,
  { cloud, invariants }: { cloud: Cloud; invariants: Invariants },
): string[] {
  const key = `${project}.${name}`;
  const mine = site.replicas.filter((r) => r.key === key);
  const current = mine.filter((r) => r.mark === spec.run.env['MARK'] && r.healthy);
  const problems: string[] = [];
  const ids = new Set(mine.map((r) => r.id));
  if (ids.size !== mine.length) problems.push(`${key} runs a slot twice at ${site.name}`);
  if (mine.length !== wanted)
    problems.push(`${key} runs ${mine.length} times at ${site.name}, wanted is ${wanted}`);
  else if (current.length !== wanted)
    problems.push(`${key} at ${site.name}: ${current.length} of ${wanted} are new and healthy`);
  const report = invariants.observed.get(observedSubject(site.name, project, name));
  const told = report?.replicas.filter((r) => r.phase === 'running').length ?? 0;
  if (told !== wanted) problems.push(`${key} at ${site.name}: ${told} are reported, wanted is ${wanted}`);
  const subject = desiredSubject(site.name, project, name);
  const lies = cloud.hub.memory.streams.get(STREAMS.DL.name)?.newest(subject) !== undefined;
  if (lies !== wanted > 0)
    problems.push(`${key} for ${site.name} ${lies ? 'still lies' : 'does not lie'} in DL`);
  return problems;
}

/** Replicas that were not placed although there is room. */
function stuck(workload: Workload, cloud: Cloud, invariants: Invariants): string[] {
  const { project, name, spec, stopped, removed } = workload;
  const placement = invariants.placements.get(`${project}.${name}`);
  // Where a workload's datasets may be is looked at with these.
  const elsewhere = spec.type === 'daemon' || spec.data !== undefined;
  if (stopped || removed || placement === undefined || elsewhere) return [];
  const wanted = typeof spec.placement.replicas === 'number' ? spec.placement.replicas : 1;
  const placed = placement.shares.reduce((sum, s) => sum + s.replicas, 0);
  if (placed >= wanted) return [];
  // What runs on a site's nodes may leave room for some and not for as many as the centre asks for: it is asked again later.
  const refuses = ({ name: site }: SimSite) =>
    invariants.refused.get(`${site} ${project}.${name}`) === placement.version.generation;
  const roomy = cloud.sites.filter(
    (site) =>
      mayRunIn(site.spec.jurisdictions, workload) &&
      freeAt(site) >= spec.resources.cpuMillicores &&
      !(site.several && refuses(site)),
  );
  return roomy.map((s) => `${project}.${name}: ${placed} of ${wanted} are placed, and ${s.name} has room`);
}

/** So much is free on one of its nodes, however what runs there is spread: that the centre cannot know. */
function freeAt({ nodes }: SimSite): number {
  return nodes.reduce((sum, { machine }) => sum + machine.freeMillicores, 0) / nodes.length;
}
