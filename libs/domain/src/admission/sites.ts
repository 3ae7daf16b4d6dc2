import {
  LIMITS,
  type Change,
  type CommandBody,
  type Departure,
  type NodeRule,
  type Site,
  type SiteDescription,
} from '@skerry/contracts';
import { superseded } from './sequence.js';
import {
  NO_WRITES,
  rejected,
  type Admission,
  type AdmissionRequest,
  type AdmissionState,
  type Rejected,
} from './types.js';

type Body<V extends CommandBody['verb']> = Extract<CommandBody, { verb: V }>;

/** Adds a site that may join from now on. A name is used once for ever: what a removed site left behind must not be taken for a new one's. */
export function admitSiteAdd(
  description: SiteDescription,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const { name } = description;
  const known = state.site(name);
  // Delivered again: the site it made is there, and nothing but this command has this sequence.
  if (known?.commandSequence === request.sequence) return answer(known, 'created');
  if (known) return nameUsed(known);
  if (request.account === undefined)
    return rejected('internal', `no account was made for the site ${name}`, { hint: 'ask again' });
  const site: Site = {
    ...description,
    generation: 1,
    account: request.account,
    membership: 'pending',
    cordoned: false,
    createdAt: request.now,
    updatedAt: request.now,
    commandSequence: request.sequence,
  };
  return { ok: true, writes: { ...NO_WRITES, sites: [site] }, changes: [changeOfSite(site, 'created')] };
}

function nameUsed(known: Site): Rejected {
  const { name, membership } = known;
  const was = membership === 'removed' ? 'was the name of a site that was removed' : 'is the name of a site';
  return rejected('name-used', `${name} ${was}`, {
    issues: [{ path: 'site.name', problem: 'used before', value: name, allowed: 'a name never used before' }],
    hint:
      membership === 'pending'
        ? `it has not joined yet: ask for a new token for ${name}`
        : 'choose another name',
  });
}

/**
 * Takes a site out: first `leaving`, while its work moves away; `removed` when it has said that nothing is left. One that never
 * joined, or is forced out (it is dead), is `removed` at once. Asked again with a deadline, that one counts.
 */
export function admitSiteRemove(
  body: Body<'site.remove'>,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const forced = body.force === true;
  return changedSite(body.name, request, state, (site) => {
    if (site.membership === 'leaving' && !forced && body.deadlineMs === undefined) return undefined;
    if (site.membership === 'pending' || forced) return { ...site, membership: 'removed' };
    return { ...departing(site, 'retire', body.deadlineMs, request.now), membership: 'leaving' };
  });
}

/** Longest that an evacuation waits for replacements, unless the command says another time. */
export const EVACUATION_MS = 5 * 60_000;

/** Has what runs at a site go elsewhere; it takes nothing new meanwhile. Asked again, the newer deadline counts. */
export function admitSiteDrain(
  body: Body<'site.drain'>,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const { kind, deadlineMs = kind === 'evacuate' ? EVACUATION_MS : undefined } = body;
  if (state.site(body.name)?.membership === 'leaving')
    return rejected('conflict', `the site ${body.name} is leaving: what runs there goes elsewhere already`, {
      hint: `take that back with "skerry site undo ${body.name}"`,
    });
  return changedSite(body.name, request, state, (site) => ({
    ...departing(site, kind, deadlineMs, request.now),
    draining: true,
  }));
}

/** Takes a drain, an evacuation or a removal back; a site that was removed stays so. */
export function admitSiteRecall(
  { name }: Body<'site.recall'>,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const { actor } = request.command;
  if (state.site(name)?.membership === 'leaving' && actor.role !== 'admin')
    return rejected(
      'forbidden',
      `${actor.subject} has the role ${actor.role} and may not take the removal of ${name} back`,
      {
        hint: 'ask someone with the role admin: removing is theirs too',
      },
    );
  return changedSite(name, request, state, (site) => {
    const leaves = site.membership === 'leaving';
    if (!leaves && site.draining !== true && site.departure === undefined) return undefined;
    const { draining: _draining, departure: _departure, ...stays } = site;
    return leaves ? { ...stays, membership: 'joined', recalledAt: request.now } : stays;
  });
}

/** Says what is wanted of one node. A node that was removed stays so: its name is not used again. At most `nodesPerSite` are named. */
export function admitNodeSet(
  { site: siteName, name, rule }: { site: string; name: string; rule?: NodeRule | undefined },
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const named = state.site(siteName)?.nodes ?? {};
  const before = Object.hasOwn(named, name) ? named[name] : undefined;
  if (before === 'removed' && rule !== 'removed')
    return rejected('name-used', `the node ${name} of ${siteName} was removed, and its name with it`, {
      hint: 'join the machine again under another name',
    });
  // A site with more would be one that nobody can read.
  if (before === undefined && rule !== undefined && Object.keys(named).length >= LIMITS.nodesPerSite)
    return rejected('too-large', `${siteName} has ${LIMITS.nodesPerSite} nodes with a rule of their own`, {
      issues: [
        {
          path: 'nodes',
          problem: 'too many',
          value: name,
          allowed: `at most ${LIMITS.nodesPerSite}, removed ones among them (limit nodesPerSite)`,
        },
      ],
      hint: 'uncordon nodes that need no rule any more, or move the machines to a new site',
    });
  return changedSite(siteName, request, state, (site) => {
    if (before === rule) return undefined;
    const { [name]: _before, ...others } = site.nodes ?? {};
    const nodes = rule === undefined ? others : { ...others, [name]: rule };
    return { ...site, nodes, nodesGeneration: (site.nodesGeneration ?? 0) + 1 };
  });
}

function departing(
  site: Site,
  kind: Departure['kind'],
  deadlineMs: number | undefined,
  now: string,
): Site & { departure: Departure } {
  const deadline =
    deadlineMs === undefined ? {} : { deadline: new Date(Date.parse(now) + deadlineMs).toISOString() };
  return { ...site, departure: { kind, since: site.departure?.since ?? now, ...deadline } };
}

/** Cordoned, a site takes no new work; what runs there stays. */
export function admitSiteCordon(
  { name, cordoned }: Body<'site.cordon'>,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  return changedSite(name, request, state, (site) =>
    site.cordoned === cordoned ? undefined : { ...site, cordoned },
  );
}

function changedSite(
  name: string,
  request: AdmissionRequest,
  state: AdmissionState,
  change: (site: Site) => Site | undefined,
): Admission {
  const known = state.site(name);
  if (known?.commandSequence === request.sequence)
    return answer(known, known.membership === 'removed' ? 'removed' : 'updated');
  if (!known || known.membership === 'removed')
    return rejected('not-found', known ? `the site ${name} was removed` : `there is no site ${name}`, {
      hint: 'list them with "skerry site ls"',
    });
  if (superseded(known, request.sequence))
    return rejected('conflict', `superseded: a newer command has changed the site ${name}`, {
      hint: 'look at it with "skerry site show" and ask again if it is still wanted',
    });
  const next = change(known);
  if (!next) return answer(known, 'unchanged');
  const site: Site = {
    ...next,
    generation: known.generation + 1,
    updatedAt: request.now,
    commandSequence: request.sequence,
  };
  const said = site.membership === 'removed' ? 'removed' : 'updated';
  return { ok: true, writes: { ...NO_WRITES, sites: [site] }, changes: [changeOfSite(site, said)] };
}

function answer(site: Site, change: Change['change']): Admission {
  return { ok: true, writes: NO_WRITES, changes: [changeOfSite(site, change)] };
}

function changeOfSite(site: Site, change: Change['change']): Change {
  return { noun: 'site', name: site.name, change, generation: site.generation };
}
