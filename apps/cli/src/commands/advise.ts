import { advise as decide, type Advice, type Advised } from '@skerry/domain';
import { type Tables, readTables } from '../advise/read-tables.js';
import { CommandFailed, EXIT } from '../exit-codes.js';
import type { Terminal } from '../output/terminal.js';

export interface AdviseOptions {
  sitesFrom: string;
  users: string;
  maxSites: number;
  rtt?: string;
  allow: string[];
  deny: string[];
  latencyWeight: number;
  priceWeight: number;
  cores: number;
  memoryGib: number;
  egressGib: number;
}

/** `skerry advise`: which of these places to open for these users. Decided here, without a cloud. */
export function advise(terminal: Terminal, options: AdviseOptions): void {
  const { sitesFrom: sites, users, rtt, cores, memoryGib: memoryGiB } = options;
  const tables = readTables({ sites, users, rtt }, { cores, memoryGiB });
  for (const note of tables.notes) terminal.note(note);
  const advice = terminal.stepwise('searching', (onStep) => decide(requestOf(tables, options), onStep));
  const { chosen } = advice;
  if (chosen === undefined) {
    const lines = advice.rejected.map(({ site, failed }) => `${site}: ${failed.check}: ${failed.has}`);
    throw new CommandFailed(EXIT.failed, 'no site may be opened', 'see --allow and --deny', lines);
  }
  terminal.result(jsonOf(advice, chosen, options), () => show(terminal, advice, chosen, options));
  const more = Math.min(options.maxSites + 1, tables.prospects.length);
  if (more > options.maxSites) {
    const given = `--sites-from ${sites} --users ${users}${rtt === undefined ? '' : ` --rtt ${rtt}`}`;
    terminal.next(`skerry advise ${given} --max-sites ${more}`, 'skerry site add NAME');
  } else terminal.next('skerry site add NAME');
}

function requestOf({ prospects, users, measuredMs }: Tables, options: AdviseOptions) {
  const { allow, deny, maxSites, egressGib, latencyWeight, priceWeight } = options;
  const residency = {
    ...(allow.length > 0 ? { allow } : {}),
    ...(deny.length > 0 ? { deny } : {}),
  };
  return {
    prospects,
    users,
    measuredMs,
    maxSites,
    egressGiBMonth: egressGib,
    weights: { perLatencyMs: latencyWeight, perPrice: priceWeight },
    ...(allow.length + deny.length > 0 ? { residency } : {}),
  };
}

/** Sites that `one` has and `other` has not. */
function newIn(one: Advised, other: Advised | undefined): string[] {
  const known = new Set(other?.sites.map(({ name }) => name));
  return one.sites.map(({ name }) => name).filter((name) => !known.has(name));
}

/** One step of the curve: the best set of this size, and what it gains over the best set of one fewer. */
function stepOf(now: Advised, before: Advised | undefined) {
  const { sites, meanMs, p95Ms, costPerMonth } = now;
  return {
    count: sites.length,
    sites: sites.map(({ name }) => name),
    meanMs,
    p95Ms,
    costPerMonth,
    adds: newIn(now, before),
    drops: before ? newIn(before, now) : [],
    ...(before
      ? {
          gainMs: before.meanMs - meanMs,
          gainP95Ms: before.p95Ms - p95Ms,
          addsCost: costPerMonth - before.costPerMonth,
        }
      : {}),
  };
}

function jsonOf({ curve, next, rejected }: Advice, chosen: Advised, options: AdviseOptions) {
  const { sites, meanMs, p95Ms, costPerMonth, objective } = chosen;
  return {
    sites,
    meanMs,
    p95Ms,
    costPerMonth,
    measuredShare: measuredShare(chosen, options),
    objective,
    maxSites: options.maxSites,
    weights: { perLatencyMs: options.latencyWeight, perPrice: options.priceWeight },
    curve: curve.map((step, i) => stepOf(step, curve[i - 1])),
    ...(next ? { next: stepOf(next, chosen) } : {}),
    rejected,
  };
}

function show(terminal: Terminal, advice: Advice, chosen: Advised, options: AdviseOptions): void {
  const { bold } = terminal.colours;
  const { curve, next, rejected } = advice;
  const priced = [...curve, ...(next ? [next] : [])].some(({ costPerMonth }) => costPerMonth > 0);
  const cost = priced ? `, ${chosen.costPerMonth.toFixed(2)} a month` : '';
  terminal.say(
    `open ${bold(chosen.sites.map(({ name }) => name).join(', '))}: the mean user at ${ms(chosen.meanMs)}, 95 of 100 within ${ms(chosen.p95Ms)}${cost}`,
  );
  terminal.say(measuredText(measuredShare(chosen, options)));
  terminal.say();
  terminal.table(
    ['SITE', 'USERS', 'LATENCY', ...(priced ? ['A MONTH'] : [])],
    chosen.sites.map(({ name, userShare, latencyMs, costPerMonth }) => [
      name,
      `${(userShare * 100).toFixed(1)} %`,
      ms(latencyMs),
      ...(priced ? [costPerMonth.toFixed(2)] : []),
    ]),
  );
  terminal.say();
  terminal.table(
    ['SITES', 'MEAN', '95 %', ...(priced ? ['A MONTH'] : []), 'GAINS', 'OPENS'],
    curve.map((step, i) => stepRow(step, curve[i - 1], priced, step === chosen ? ' (chosen)' : '')),
  );
  terminal.say();
  for (const line of nextLines(advice, chosen, options)) terminal.say(line);
  if (rejected.length > 0) {
    const named = rejected.map(({ site, failed }) => `${site} (${failed.check}: ${failed.has})`);
    terminal.say(`not to choose from: ${named.join(', ')}`);
  }
}

function stepRow(now: Advised, before: Advised | undefined, priced: boolean, mark: string): string[] {
  const { count, meanMs, p95Ms, costPerMonth, gainMs, adds, drops } = stepOf(now, before);
  const opens = [...adds.map((name) => `+${name}`), ...drops.map((name) => `-${name}`)].join(' ');
  return [
    String(count),
    ms(meanMs),
    ms(p95Ms),
    ...(priced ? [costPerMonth.toFixed(2)] : []),
    gainMs === undefined ? '' : ms(gainMs),
    `${opens}${mark}`,
  ];
}

function nextLines({ curve, next }: Advice, chosen: Advised, options: AdviseOptions): string[] {
  if (next === undefined) return ['there is no further site to open'];
  const { count, adds, drops, gainMs = 0, addsCost = 0 } = stepOf(next, chosen);
  const instead = drops.length > 0 ? ` (instead of ${drops.join(', ')})` : '';
  const price = addsCost > 0 ? `, for ${addsCost.toFixed(2)} more a month` : '';
  const first = `a site more, ${count} in all: ${adds.join(', ')}${instead} would bring the mean user ${ms(gainMs)} nearer${price}`;
  if (chosen === curve.at(-1)) return [first];
  return [
    first,
    `that does not pay at ${options.latencyWeight} a month for a millisecond of the mean user (--latency-weight) and ${options.priceWeight} for a unit of cost (--price-weight)`,
  ];
}

/** Users at a site count as measured, since nothing is nearer; but without a table nothing was measured. */
function measuredShare(chosen: Advised, { rtt }: AdviseOptions): number {
  return rtt === undefined ? 0 : chosen.measuredShare;
}

function measuredText(share: number): string {
  if (share === 0) return 'latencies are estimated from coordinates; --rtt gives measured ones';
  if (share > 1 - 1e-9) return 'latencies are measured';
  return `latencies are measured for ${(share * 100).toFixed(0)} % of the users, and estimated from coordinates for the others`;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
