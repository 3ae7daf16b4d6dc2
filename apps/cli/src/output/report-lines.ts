import type { Absence, SiteChange, SiteReport } from '@skerry/contracts';
import { plain, type Terminal } from './terminal.js';

/** Shows what happened at a site: each time without the hub, and what became of what was changed there. */
export function showReport(report: SiteReport, terminal: Terminal): void {
  const { bold, dim } = terminal.colours;
  const since = report.since === undefined ? 'nothing yet' : `since ${report.since}`;
  terminal.say(
    `${bold(report.site)}: ${report.entries} entries ${since} ${dim(`(as the ${report.from} knows it)`)}`,
  );
  if (report.absences.length === 0) terminal.say('never without the hub');
  for (const absence of report.absences) showAbsence(absence, terminal);
  if (report.changes.length === 0) return;
  terminal.say();
  terminal.table(['CHANGE', 'BY', 'AT', 'BECAME'], report.changes.map(changeRow));
}

function showAbsence(absence: Absence, terminal: Terminal): void {
  const { from, to, replicas, agentStarts, nodesLost } = absence;
  terminal.say();
  terminal.say(
    to === undefined
      ? terminal.colours.yellow(`without the hub since ${from}`)
      : `without the hub from ${from} to ${to} (${seconds(from, to)} s)`,
  );
  const restarts = absence.workloads.reduce((sum, w) => sum + w.restarts, 0);
  terminal.say(`  restarts ${restarts}, agent starts ${agentStarts}, entries ${absence.entries}`);
  if (replicas !== undefined)
    terminal.say(
      `  on return: ${replicas.kept} replicas kept, ${replicas.started} started, ${replicas.drained} drained`,
    );
  for (const { node, at, back } of nodesLost)
    terminal.say(`  node ${plain(node)} lost at ${at}${back === undefined ? '' : `, back at ${back}`}`);
  for (const { project, name, restarts: n } of absence.workloads.filter((w) => w.restarts > 0))
    terminal.say(`  ${project}/${name}: ${n} restarts`);
}

function changeRow({ what, by, at, state, reason }: SiteChange): string[] {
  return [plain(what), plain(by), at, reason === undefined ? state : `${state}: ${plain(reason)}`];
}

function seconds(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 1_000);
}
