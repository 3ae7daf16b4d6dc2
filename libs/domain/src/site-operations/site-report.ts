import { LIMITS, type Absence, type JournalEntry, type SiteChange, type SiteReport } from '@skerry/contracts';

/** Workloads of one absence that are told of: those with the most restarts. */
const WORKLOADS_TOLD = 100;

/**
 * What the entries of a site's journal say happened there. Entries may come in any order and more than once. At most
 * `siteReportBytes`: workloads are left out before changes are, of these the oldest.
 */
export function siteReport(
  site: string,
  entries: Iterable<JournalEntry>,
  made: { from: SiteReport['from']; at: string },
): SiteReport {
  const once = new Map([...entries].map((entry) => [entry.id, entry]));
  const sorted = [...once.values()].toSorted((a, b) => compare(a.at, b.at) || rank(a) - rank(b));
  const since = sorted[0]?.at;
  return fitting({
    kind: 'SiteReport',
    site,
    madeAt: made.at,
    from: made.from,
    ...(since === undefined ? {} : { since }),
    entries: sorted.length,
    absences: absencesOf(sorted).slice(-LIMITS.absencesPerReport).toReversed(),
    changes: changesOf(sorted).slice(-LIMITS.changesPerReport).toReversed(),
  });
}

function fitting(report: SiteReport): SiteReport {
  if (new TextEncoder().encode(JSON.stringify(report)).length <= LIMITS.siteReportBytes) return report;
  const most = Math.max(0, ...report.absences.map(({ workloads }) => workloads.length));
  if (most === 0) return fitting({ ...report, changes: firstHalf(report.changes) });
  const absences = report.absences.map((a) => ({
    ...a,
    workloads: a.workloads.slice(0, Math.floor(most / 2)),
  }));
  return fitting({ ...report, absences });
}

const firstHalf = <T>(all: readonly T[]): T[] => all.slice(0, Math.floor(all.length / 2));

/** An absence while it is put together. */
interface Away {
  from: string;
  to?: string;
  agentStarts: number;
  workloads: Map<string, Absence['workloads'][number]>;
  nodesLost: Absence['nodesLost'];
  replicas?: Absence['replicas'];
  entries: number;
}

function absencesOf(entries: readonly JournalEntry[]): Absence[] {
  const all: Away[] = [];
  let now: Away | undefined;
  for (const entry of entries) {
    if (entry.what === 'cut-off' && now === undefined) {
      now = { from: entry.at, agentStarts: 0, workloads: new Map(), nodesLost: [], entries: 0 };
      all.push(now);
    }
    if (entry.what === 'settled') settle(all.at(-1), entry);
    if (now === undefined) continue;
    count(now, entry);
    if (entry.what !== 'returned') continue;
    now.to = entry.at;
    now = undefined;
  }
  return all.map(({ workloads, ...away }) => ({
    ...away,
    workloads: [...workloads.values()].toSorted((a, b) => b.restarts - a.restarts).slice(0, WORKLOADS_TOLD),
  }));
}

function settle(away: Away | undefined, { counts = {} }: JournalEntry): void {
  if (away === undefined) return;
  const { kept = 0, started = 0, drained = 0 } = counts;
  away.replicas = { kept, started, drained };
}

function count(away: Away, entry: JournalEntry): void {
  away.entries += 1;
  switch (entry.what) {
    case 'agent-started':
      away.agentStarts += 1;
      return;
    case 'replicas':
      return countReplicas(away, entry);
    case 'node-lost':
      if (away.nodesLost.length < WORKLOADS_TOLD)
        away.nodesLost.push({ node: entry.text ?? entry.node, at: entry.at });
      return;
    case 'node-back': {
      const lost = away.nodesLost.findLast(({ node }) => node === (entry.text ?? entry.node));
      if (lost !== undefined) lost.back = entry.at;
      return;
    }
    case 'cut-off':
    case 'returned':
    case 'settled':
    case 'operation':
    case 'change-decided':
    case 'change-superseded':
    case 'refused-request':
      return;
  }
}

function countReplicas(away: Away, { project, name, counts = {} }: JournalEntry): void {
  if (project === undefined || name === undefined) return;
  const key = `${project}.${name}`;
  const known = away.workloads.get(key) ?? { project, name, restarts: 0, ended: 0 };
  known.restarts += counts['restarts'] ?? 0;
  known.ended += counts['ended'] ?? 0;
  away.workloads.set(key, known);
}

function changesOf(entries: readonly JournalEntry[]): SiteChange[] {
  const changes = new Map<string, SiteChange>();
  for (const entry of entries) {
    const { requestId, what, by = 'unknown', text = '' } = entry;
    if (requestId === undefined) continue;
    if (what === 'operation') {
      changes.set(requestId, { requestId, at: entry.at, by, what: text, state: 'open' });
      continue;
    }
    const change = changes.get(requestId);
    if (change === undefined) continue;
    if (what === 'change-superseded' && change.state === 'open') change.state = 'superseded';
    if (what !== 'change-decided') continue;
    change.state = stateOf(entry.outcome);
    if (text !== '') change.reason = text;
  }
  return [...changes.values()];
}

function stateOf(outcome: string | undefined): SiteChange['state'] {
  switch (outcome) {
    case 'accepted':
    case 'replaced':
      return outcome;
    default:
      return 'rejected';
  }
}

/** Of entries of one moment: the beginning of an absence before what is in it, its end after. */
function rank({ what }: JournalEntry): number {
  if (what === 'cut-off') return 0;
  return what === 'returned' ? 2 : 1;
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
