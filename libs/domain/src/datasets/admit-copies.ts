import type { DatasetSpec, Site } from '@skerry/contracts';
import { labelHolds, ruleInWords } from '../placement/label-match.js';
import { mayReside } from '../placement/checks/residency.js';
import { isChosen } from './choose-copies.js';
import { siteFacts } from '../placement/site-facts.js';
import { areaAt, originInWords, originOf } from './origin/areas.js';

/** Whether a site shall have a copy, or why not. */
export type CopyChoice = { ok: true } | { ok: false; why: string };

/** Sites that were chosen to have a copy. */
export type ChosenSites = ReadonlySet<string>;

/** What decides where copies are. */
export type CopyRules = Pick<DatasetSpec, 'residency' | 'copies'>;

/**
 * The allow-list of a dataset, site by site: the only one there is. Admission, the hub's deliveries and `skerry data where` all
 * ask here. Residency first: what `copies` wants never opens that wall. `chosen`: the sites of its `CopySet`, where copies are chosen.
 */
export function copyAt(rules: CopyRules, site: Site, chosen?: ChosenSites): CopyChoice {
  const choice = copyMayBe(rules, site);
  if (!choice.ok || !isChosen(rules.copies) || chosen?.has(site.name) === true) return choice;
  const why =
    rules.copies.at === 'with-workloads' ? 'no workload that uses it runs there' : 'it was not chosen';
  return { ok: false, why: `copies: ${why}` };
}

/** Whether a site may have a copy at all, when something needs one there. */
export function copyMayBe({ residency, copies }: CopyRules, site: Site): CopyChoice {
  if (!mayReside(site, wallOf(residency))) {
    const has = site.jurisdictions.join(', ') || 'no jurisdiction';
    return { ok: false, why: `residency: ${residencyInWords(residency)}; the site is in ${has}` };
  }
  const rule = originOf(residency);
  const area = rule && areaAt(rule, site);
  if (area?.ok === false)
    return { ok: false, why: `residency: ${residencyInWords(residency)}; the site is ${area.why}` };
  if (site.membership !== 'joined' && site.membership !== 'leaving')
    return { ok: false, why: `the site is ${site.membership}` };
  if (copies.sites !== undefined && !copies.sites.includes(site.name))
    return { ok: false, why: 'copies: it is not named' };
  if (copies.match.length === 0) return { ok: true };
  const { labels } = siteFacts(site);
  const broken = copies.match.find((rule) => !labelHolds(rule, labels.get(rule.label)));
  return broken === undefined ? { ok: true } : { ok: false, why: `copies: it is not ${ruleInWords(broken)}` };
}

/** Whether records may rest in clear at a place with these jurisdictions, such as the hub. Undefined: nobody has said where it is. */
export function mayRest(
  residency: DatasetSpec['residency'],
  jurisdictions: readonly string[] | undefined,
): boolean {
  const wall = wallOf(residency);
  if (wall === undefined) return true;
  return jurisdictions !== undefined && mayReside({ jurisdictions: [...jurisdictions] }, wall);
}

/** Both rules of a dataset, as people read them. */
export function ruleOfCopies({ residency, copies, encryption }: DatasetSpec): string {
  const where = [
    ...(copies.sites === undefined ? [] : [`at ${copies.sites.join(', ')}`]),
    ...copies.match.map(ruleInWords),
  ];
  const all = where.length === 0 ? 'copies everywhere' : `copies ${where.join(', ')}`;
  const sealed =
    encryption === undefined ? '' : '; elsewhere, as at the hub and in backups, ciphertext alone';
  return `${residencyInWords(residency)}; ${isChosen(copies) ? chosenInWords(copies, where) : all}${sealed}`;
}

function chosenInWords({ at, min, max }: DatasetSpec['copies'], where: readonly string[]): string {
  const chosen =
    at === 'with-workloads' ? ['copies where workloads use it'] : ['copies chosen by where it is used'];
  const least = min === undefined ? [] : [`at least ${min}`];
  const most = max === undefined ? [] : [`at most ${max}`];
  return [...chosen, ...least, ...most, ...where].join(', ');
}

/** Where records may be, as people read it. */
export function residencyInWords(residency: DatasetSpec['residency']): string {
  const stay = residency?.stay === undefined ? [] : [`stays in ${residency.stay.join(', ')}`];
  const deny = residency?.deny === undefined ? [] : [`not in ${residency.deny.join(', ')}`];
  const rule = originOf(residency);
  const origin = rule === undefined ? [] : [originInWords(rule)];
  return [...stay, ...deny, ...origin].join(', ') || 'no residency rule';
}

/** As a rule of places; undefined: anywhere. */
export function wallOf(residency: DatasetSpec['residency']) {
  const allow = residency?.stay ?? originOf(residency)?.among;
  const deny = residency?.deny;
  if (allow === undefined && deny === undefined) return undefined;
  return { ...(allow === undefined ? {} : { allow }), ...(deny === undefined ? {} : { deny }) };
}
