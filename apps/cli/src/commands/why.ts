import type { SiteExplanation, Why } from '@skerry/contracts';
import { findSite, findWorkload, keyOf } from '../names.js';
import { plain } from '../output/terminal.js';
import { placementText } from '../output/workload-lines.js';
import type { Session } from './session.js';

/** `skerry why APP [--not-on SITE]`: the reasons of a placement, for every site or in full for one. */
export async function why(session: Session, app: string, notOn: string | undefined): Promise<void> {
  const { client, terminal, project } = session;
  const ref = await findWorkload(client, app, project);
  const site = notOn === undefined ? undefined : (await findSite(client, notOn)).site.name;
  const answer = await terminal.during(
    'asking the scheduler',
    client.why(ref.project, ref.name, site === undefined ? {} : { site }),
  );
  terminal.result(answer, () => (site === undefined ? showAll(answer, session) : showOne(answer, session)));
  const other = answer.sites.find(({ chosen }) => chosen === 0)?.site;
  const more =
    site === undefined && other !== undefined ? `skerry why ${keyOf(ref)} --not-on ${other}` : undefined;
  terminal.next(more ?? `skerry get ${keyOf(ref)}`);
}

function showAll({ placement, sites, inputsChanged }: Why, { terminal }: Session): void {
  const { bold, dim } = terminal.colours;
  terminal.say(
    `${bold(`${placement.project}/${placement.name}`)}: ${placementText(placement)}, decided ${placement.decidedAt}`,
  );
  terminal.table(
    ['SITE', 'REPLICAS', 'WHY', 'USERS', 'LATENCY', 'A MONTH'],
    placement.shares.map((share) => [
      share.site,
      String(share.replicas),
      share.why,
      `${(share.demandShare * 100).toFixed(0)} %`,
      `${share.latencyMs.toFixed(0)} ms${share.measured ? '' : ' est.'}`,
      share.costPerMonth.toFixed(2),
    ]),
  );
  const { runnerUp } = placement;
  if (runnerUp)
    terminal.say(
      `runner-up: ${runnerUp.site} instead of ${runnerUp.insteadOf}, worse by ${runnerUp.worseBy.toFixed(2)}`,
    );
  terminal.say();
  terminal.table(
    ['SITE', 'RANK', 'CHOSEN', 'VERDICT'],
    sites.map((site) => [
      site.site,
      site.rank === undefined ? '-' : String(site.rank),
      String(site.chosen),
      verdict(site),
    ]),
  );
  if (inputsChanged) terminal.say(dim('sites have changed since the decision: this is what holds now'));
}

/** Terms named in one line; `--not-on` shows all. */
const SHOWN_TERMS = 3;

/** Feasible with what it costs, else the first check that failed. */
function verdict({ feasible, checks, terms }: SiteExplanation): string {
  const failed = checks.find(({ ok }) => !ok);
  if (!feasible && failed) return plain(`${failed.check}: has ${failed.has}, needs ${failed.needs}`);
  const costly = terms.filter(({ cost }) => Math.abs(cost) >= 0.005).toSorted((a, b) => b.cost - a.cost);
  const costs = costly.slice(0, SHOWN_TERMS).map(({ term, cost }) => `${term} ${cost.toFixed(2)}`);
  const total = terms.reduce((sum, { cost }) => sum + cost, 0);
  return plain(costs.length === 0 ? 'would fit' : `costs ${total.toFixed(2)}: ${costs.join(', ')}`);
}

function showOne({ placement, sites }: Why, { terminal }: Session): void {
  const [site] = sites;
  if (!site) return;
  const { bold, green, red } = terminal.colours;
  const name = `${placement.project}/${placement.name}`;
  const fate =
    site.chosen > 0
      ? `${site.chosen} replicas are there`
      : site.feasible
        ? 'it would fit, others are better'
        : 'it does not fit';
  terminal.say(`${bold(name)} at ${bold(site.site)}: ${fate}`);
  terminal.table(
    ['CHECK', '', 'HAS', 'NEEDS', 'REMEDY'],
    site.checks.map((check) => [
      check.check,
      check.ok ? green('ok') : red('fails'),
      plain(check.has),
      plain(check.needs),
      plain(check.remedy ?? ''),
    ]),
  );
  terminal.say();
  terminal.table(
    ['TERM', 'VALUE', 'COSTS'],
    site.terms.map(({ term, value, unit, cost }) => [term, `${value.toFixed(2)} ${unit}`, cost.toFixed(3)]),
  );
}
