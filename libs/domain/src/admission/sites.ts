import type { Change, CommandBody, Site, SiteDescription } from '@skerry/contracts';
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
 * joined, or is forced out (it is dead), is `removed` at once.
 */
export function admitSiteRemove(
  body: Body<'site.remove'>,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const forced = body.force === true;
  return changedSite(body.name, request, state, (site) => {
    if (site.membership === 'leaving' && !forced) return undefined;
    const membership = site.membership === 'pending' || forced ? 'removed' : 'leaving';
    return { ...site, membership };
  });
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
