import type { Plan, PlanFigures, PlannedDataset, Share } from '@skerry/contracts';
import { placedIn, placementText, rejectedLines, shareText } from './workload-lines.js';
import { plain, type Terminal } from './terminal.js';

type Item = Plan['items'][number];
const SIGN = { create: '+', update: '~', none: '=' } as const;
const DONE = { create: 'created', update: 'updated', none: 'unchanged' } as const;

/** What a plan would change: each dataset with its copies, each workload with its sites before and after, then the figures over all of them. */
export function showPlan(plan: Plan, terminal: Terminal): void {
  const shows = [
    ...(plan.datasets ?? []).map((dataset) => () => showDataset(dataset, terminal)),
    ...plan.items.map((item) => () => showItem(item, terminal)),
  ];
  for (const [i, show] of shows.entries()) {
    if (i > 0) terminal.say();
    show();
  }
  const totals = totalsOf(plan);
  if (shows.length > 0 && totals.length > 0) terminal.say();
  for (const line of totals) terminal.say(line);
}

function totalsOf({ items, datasets = [], before, after, untouched, omitted = 0 }: Plan): string[] {
  const count = items.length + omitted;
  const stay = untouched === 1 ? 'workload stays as it is' : 'workloads stay as they are';
  return [
    omitted > 0 ? `and ${omitted} more changes, which the figures count` : '',
    count === 0 && !datasets.some(isOther) ? 'nothing would change' : '',
    count > 1 ? `in all ${count} workloads: ${figuresText(before, after)}` : '',
    untouched > 0 ? `${untouched} other ${stay}` : '',
  ].filter((line) => line !== '');
}

/** Whether anything would change; whether something wanted would not be placed. */
export function verdictOf({ items, datasets = [], omitted = 0 }: Plan): {
  changes: boolean;
  cannot: boolean;
} {
  const moves = omitted > 0 || items.some((item) => isOther(item) || item.moves.length > 0);
  return {
    changes: moves || datasets.some(isOther),
    cannot: items.some(({ placement: { state } }) => state === 'unplaceable' || state === 'partial'),
  };
}

function isOther({ change }: Pick<Item, 'change'>): boolean {
  return change !== 'none';
}

/** By the words of `skerry data where`. */
function showDataset(
  { project, name, change, rule, copies, without, omitted }: PlannedDataset,
  terminal: Terminal,
): void {
  const { bold, green, red } = terminal.colours;
  terminal.say(`${SIGN[change]} dataset ${bold(`${project}/${name}`)} ${DONE[change]}: ${plain(rule)}`);
  const rows = [
    ...copies.map(({ site, now, why = '' }) =>
      now ? [`  ${site}`, 'copy', 'copy', plain(why)] : [`  ${green(site)}`, '-', green('copy'), plain(why)],
    ),
    ...without.map(({ site, now, why }) =>
      now ? [`  ${red(site)}`, 'copy', red('-'), plain(why)] : [`  ${site}`, '-', '-', plain(why)],
    ),
  ];
  if (rows.length > 0) terminal.table(['  SITE', 'NOW', 'THEN', 'WHY'], rows);
  if (copies.length === 0) terminal.say('  no site has a copy');
  if (omitted !== undefined)
    terminal.say(`  and ${omitted.copies} more sites with a copy, ${omitted.without} without`);
}

function showItem(item: Item, terminal: Terminal): void {
  const { placement } = item;
  const { bold } = terminal.colours;
  const title = bold(`${item.project}/${item.name}`);
  terminal.say(`${SIGN[item.change]} ${title}: ${placementText(placement)}`);
  const moves = new Map(item.moves.map((move) => [move.site, move]));
  const stay = placement.shares.map((share) => shareRow(share, moves.get(share.site)?.before, terminal));
  const placed = new Set(placement.shares.map(({ site }) => site));
  const leave = item.moves
    .filter(({ site }) => !placed.has(site))
    .map(({ site, before, after }) => row(terminal, { site, before, after }));
  if (stay.length + leave.length > 0)
    terminal.table(['  SITE', 'NOW', 'THEN', 'WHY', 'LATENCY', 'A MONTH'], [...stay, ...leave]);
  const { before = { replicas: 0, costPerMonth: 0 } } = item;
  if (placement.shares.length > 0 || before.replicas > 0) {
    const replicas = placedIn(placement);
    const { costPerMonth, latencyMs } = placement;
    const after = { replicas, costPerMonth, ...(latencyMs === undefined ? {} : { latencyMs }) };
    terminal.say(`  ${figuresText(before, after)}`);
  }
  for (const line of rejectedLines(placement)) {
    if (placement.state === 'partial' || placement.state === 'unplaceable') terminal.say(`  ${line}`);
  }
  for (const given of placement.preempted ?? [])
    terminal.say(
      `  takes the room of ${given.project}/${given.name} at ${given.site}: ${given.replicas} replicas`,
    );
}

function shareRow(share: Share, before: number | undefined, terminal: Terminal): string[] {
  const { site, replicas } = share;
  const [now, ...more] = row(terminal, { site, before: before ?? replicas, after: replicas });
  const latency = `${share.latencyMs.toFixed(0)} ms${share.measured ? '' : ' est.'}`;
  return [now ?? '', ...more.slice(0, 2), shareText(share), latency, share.costPerMonth.toFixed(2)];
}

/** One site; coloured when it changes. */
function row(terminal: Terminal, move: { site: string; before: number; after: number }): string[] {
  const { site, before, after } = move;
  const { green, red, yellow } = terminal.colours;
  const same = (text: string) => text;
  const colour = before === after ? same : before === 0 ? green : after === 0 ? red : yellow;
  return [`  ${colour(site)}`, String(before), colour(String(after)), after === 0 ? 'leaves' : '', '-', '-'];
}

function figuresText(before: PlanFigures, after: PlanFigures): string {
  return [
    `replicas ${fromTo(before.replicas, after.replicas, 0)}`,
    `a month ${fromTo(before.costPerMonth, after.costPerMonth, 2)}`,
    latencyText(before.latencyMs, after.latencyMs),
  ]
    .filter((text) => text !== '')
    .join(', ');
}

function fromTo(before: number, after: number, digits: number): string {
  const [from, to] = [before.toFixed(digits), after.toFixed(digits)];
  return from === to ? to : `${from} → ${to}`;
}

function latencyText(before: number | undefined, after: number | undefined): string {
  if (before === undefined && after === undefined) return '';
  if (before === undefined || after === undefined) return `latency ${(after ?? before ?? 0).toFixed(1)} ms`;
  return `latency ${fromTo(before, after, 1)} ms`;
}
