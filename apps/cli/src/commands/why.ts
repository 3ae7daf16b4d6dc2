import type { SiteExplanation, Why, WhyQuery } from '@skerry/contracts';
import { findSite, findWorkload, keyOf } from '../names.js';
import { plain, type Terminal } from '../output/terminal.js';
import { placementText, shareText } from '../output/workload-lines.js';
import type { Session } from './session.js';

export interface WhyOptions {
  notOn?: string;
  revision?: number;
  /** RFC 3339. */
  at?: string;
}

/** `skerry why APP`: the reasons of a placement, for every site or in full for one; of the one that counts or an earlier one. */
export async function why(session: Session, app: string, options: WhyOptions): Promise<void> {
  const { client, terminal, project } = session;
  const ref = await findWorkload(client, app, project);
  const { notOn, revision, at } = options;
  const site = notOn === undefined ? undefined : (await findSite(client, notOn)).site.name;
  const query: WhyQuery = {
    ...(site === undefined ? {} : { site }),
    ...(revision === undefined ? {} : { revision }),
    ...(at === undefined ? {} : { at }),
  };
  const answer = await terminal.during('asking the scheduler', client.why(ref.project, ref.name, query));
  terminal.result(answer, () => {
    if (site === undefined) showAll(answer, terminal);
    else showOne(answer, terminal);
    terminal.say();
    terminal.say(terminal.colours.dim(sourceText(answer)));
  });
  terminal.next(...nextOf(answer, keyOf(ref), site));
}

function nextOf({ placement, sites }: Why, key: string, site: string | undefined): string[] {
  const other = sites.find(({ chosen }) => chosen === 0)?.site;
  const { revision } = placement.version;
  return [
    site === undefined && other !== undefined ? `skerry why ${key} --not-on ${other}` : `skerry get ${key}`,
    ...(revision > 1 ? [`skerry why ${key} --revision ${revision - 1}`] : []),
  ];
}

function showAll({ placement, sites }: Why, terminal: Terminal): void {
  const { bold } = terminal.colours;
  const { version, decidedAt } = placement;
  terminal.say(
    `${bold(`${placement.project}/${placement.name}`)}: ${placementText(placement)}, decided ${decidedAt} (revision ${version.revision}, generation ${version.generation})`,
  );
  if (placement.shares.length > 0) {
    terminal.table(
      ['SITE', 'REPLICAS', 'WHY', 'USERS', 'LATENCY', 'A MONTH'],
      placement.shares.map((share) => [
        share.site,
        String(share.replicas),
        shareText(share),
        `${(share.demandShare * 100).toFixed(0)} %`,
        `${share.latencyMs.toFixed(0)} ms${share.measured ? '' : ' est.'}`,
        share.costPerMonth.toFixed(2),
      ]),
    );
  }
  const { runnerUp, preempted = [] } = placement;
  if (runnerUp)
    terminal.say(
      `runner-up: ${runnerUp.site} instead of ${runnerUp.insteadOf}, worse by ${runnerUp.worseBy.toFixed(2)}`,
    );
  for (const { project, name, site, replicas } of preempted)
    terminal.say(`took the room of ${project}/${name} at ${site}: ${replicas} replicas`);
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
}

/** Terms named in one line; `--not-on` shows all. */
const SHOWN_TERMS = 3;

/** Feasible with what it costs, else the first check that failed and what would mend it. */
function verdict({ feasible, checks, terms }: SiteExplanation): string {
  const failed = checks.find(({ ok }) => !ok);
  if (!feasible && failed) {
    const remedy = failed.remedy === undefined ? '' : `; ${failed.remedy}`;
    return plain(`${failed.check}: has ${failed.has}, needs ${failed.needs}${remedy}`);
  }
  const costly = terms.filter(({ cost }) => Math.abs(cost) >= 0.005).toSorted((a, b) => b.cost - a.cost);
  const costs = costly.slice(0, SHOWN_TERMS).map(({ term, cost }) => `${term} ${cost.toFixed(2)}`);
  const total = terms.reduce((sum, { cost }) => sum + cost, 0);
  return plain(costs.length === 0 ? 'would fit' : `costs ${total.toFixed(2)}: ${costs.join(', ')}`);
}

function showOne({ placement, sites }: Why, terminal: Terminal): void {
  const [site] = sites;
  if (!site) {
    terminal.say('that site was not there when it was decided');
    return;
  }
  const { bold, green, red } = terminal.colours;
  const name = `${placement.project}/${placement.name}`;
  terminal.say(`${bold(name)} at ${bold(site.site)}: ${fateOf(site)}`);
  terminal.table(
    ['CHECK', '', 'HAS', 'NEEDS'],
    site.checks.map((check) => [
      check.check,
      check.ok ? green('ok') : red('fails'),
      plain(check.has),
      plain(check.needs),
    ]),
  );
  if (site.terms.length > 0) {
    terminal.say();
    terminal.table(
      ['TERM', 'VALUE', 'COSTS'],
      site.terms.map(({ term, value, unit, cost }) => [term, `${value.toFixed(2)} ${unit}`, cost.toFixed(3)]),
    );
  }
  const failed = site.checks.filter(({ ok }) => !ok);
  if (failed.length === 0) return;
  terminal.say();
  terminal.say('it would fit there if:');
  for (const { check, has, needs, remedy } of failed)
    terminal.say(`  ${plain(remedy ?? `${check}, which is ${has}, were ${needs}`)}`);
}

function fateOf({ chosen, feasible, rank }: SiteExplanation): string {
  if (chosen > 0) return `${chosen} ${chosen === 1 ? 'replica is' : 'replicas are'} there`;
  const ranked = rank === undefined ? '' : ` (rank ${rank})`;
  return feasible ? `it would fit, others are better${ranked}` : 'it does not fit';
}

/** What the explanation is made from, and how far it can be trusted. */
function sourceText({ placement, from, reproduced, engine, inputsChanged }: Why): string {
  const decidedBy = `${placement.engine.name} ${placement.engine.version}`;
  const since = inputsChanged ? '; sites have changed since' : '';
  if (from === 'current')
    return `explained by engine ${engine} from what is known now: the inputs of the decision are no longer kept${since}`;
  if (reproduced === false)
    return `explained by engine ${engine} from the inputs as recorded; it was decided by ${decidedBy}, and this engine decides otherwise${since}`;
  return `explained by engine ${engine} from the inputs as recorded, and decided again: the same, bit for bit${since}`;
}
