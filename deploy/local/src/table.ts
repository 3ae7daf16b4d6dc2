import Table from 'cli-table3';
import type { Status } from '@skerry/contracts';
import pc from 'picocolors';
import type { LocalCloud } from './cloud.js';
import { cloudHome } from './paths.js';

const PLAIN = {
  chars: {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  },
  style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
};

/** Workload, site, node, address and why there: one row a replica, or the reasons where nothing runs. */
export function placementTable(statuses: readonly Status[]): string {
  const table = new Table({
    ...PLAIN,
    head: ['WORKLOAD', 'STATE', 'SITE', 'NODE', 'ADDRESS', 'WHY THERE'].map((h) => pc.bold(h)),
  });
  for (const status of statuses) table.push(...rowsOf(status));
  return table.toString();
}

function rowsOf(status: Status): string[][] {
  const label = `${status.project}/${status.name}`;
  const rows = status.sites.flatMap((site) =>
    site.replicas.map((r) => [label, r.phase, site.site, r.node, addressOf(r.addresses), site.why]),
  );
  return rows.length > 0 ? rows : [[label, status.phase, '-', '-', '-', status.reasons[0] ?? '-']];
}

const addressOf = (addresses: Readonly<Record<string, string>>) => Object.values(addresses)[0] ?? '-';

/** A URL to curl for every replica that runs and listens, and what to try next; `root` is the clone. */
export function nextCommands(statuses: readonly Status[], cloud: LocalCloud, root: string): string {
  const { home } = cloud.paths;
  const elsewhere = home !== cloudHome(root, {});
  const name: Command[] = elsewhere ? [[`export SKERRY_HOME=${home}`, 'in every other terminal']] : [];
  const next = columns([...name, ...commandsFor(statuses)]);
  return [
    `Try:`,
    ...statuses.flatMap(urlsOf),
    ...next,
    '',
    `The cloud is in ${home}. Ctrl-C stops all of it; npm start resumes it.`,
  ].join('\n');
}

function urlsOf(status: Status): string[] {
  return status.sites.flatMap(({ site, replicas }) =>
    replicas
      .filter(({ phase }) => phase === 'running')
      .flatMap((r) => Object.values(r.addresses).slice(0, 1))
      .map((address) => `  curl http://${address}/   ${pc.dim(`# ${status.name} at ${site}`)}`),
  );
}

type Command = readonly [command: string, what: string];

function commandsFor(statuses: readonly Status[]): Command[] {
  const names = statuses.map((s) => `${s.project}/${s.name}`);
  const name = names.find((n) => n === 'demo/hello') ?? names[0];
  if (name === undefined)
    return [['./skerry apply -f deploy/examples/workloads', 'something to run'], ...GENERAL];
  const law: Command = ['./skerry why demo/ledger --not-on us-east', 'the rule that keeps it out'];
  return [
    ['./skerry status', 'what runs where'],
    [`./skerry why ${name}`, 'why there, and not elsewhere'],
    ...(names.includes('demo/ledger') ? [law] : []),
    [`./skerry logs ${name} -f`, 'logs of all sites, merged'],
    ...GENERAL,
  ];
}

const GENERAL: readonly Command[] = [
  ['./skerry events -f', 'the life of every workload'],
  ['./skerry doctor', 'the health of the cloud'],
];

function columns(commands: readonly Command[]): string[] {
  const width = Math.max(...commands.map(([command]) => command.length));
  return commands.map(([command, what]) => `  ${command.padEnd(width)}   ${pc.dim(`# ${what}`)}`);
}
