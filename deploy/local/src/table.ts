import Table from 'cli-table3';
import type { Status } from '@skerry/contracts';
import pc from 'picocolors';
import type { LocalCloud } from './cloud.js';

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

/** A URL to curl for every replica that listens, and what to try next. */
export function nextCommands(statuses: readonly Status[], cloud: LocalCloud): string {
  const urls = statuses.flatMap((status) =>
    status.sites.flatMap((site) =>
      site.replicas.flatMap((r) =>
        Object.values(r.addresses)
          .slice(0, 1)
          .map((a) => `  curl http://${a}/   ${pc.dim(`# ${status.name} at ${site.site}`)}`),
      ),
    ),
  );
  const tries: [string, string][] = [
    ['./skerry status', 'what runs where'],
    ['./skerry why demo/hello', 'why there, and not elsewhere'],
    ['./skerry why demo/ledger --not-on us-east', 'the rule that keeps it out'],
    ['./skerry logs demo/hello -f', 'logs of all sites, merged'],
    ['./skerry events -f', 'the life of every workload'],
    ['./skerry doctor', 'the health of the cloud'],
  ];
  const width = Math.max(...tries.map(([command]) => command.length));
  const next = tries.map(([command, what]) => `  ${command.padEnd(width)}   ${pc.dim(`# ${what}`)}`);
  return [
    `Try:`,
    ...urls,
    ...next,
    '',
    `The cloud is in ${cloud.paths.home}. Ctrl-C stops all of it; npm start resumes it.`,
  ].join('\n');
}
