import type { CopyAudit, DatasetProof } from '@skerry/contracts';
import { keyOf } from '../names.js';
import { plain } from '../output/terminal.js';
import { find } from './datasets.js';
import type { Session } from './session.js';

/** `skerry data proof DATASET`: every copy there is or was, since when and by which rule, and what was refused. */
export async function proveDataset(session: Session, name: string): Promise<void> {
  const { client, terminal } = session;
  const dataset = await find(session, name);
  const proof = await terminal.during(
    'reading what was written of it',
    client.datasetProof(dataset.project, dataset.name),
  );
  terminal.result(proof, () => showProof(proof, session));
  terminal.next(`skerry data where ${keyOf(dataset)}`);
}

function showProof({ where, audit }: DatasetProof, { terminal }: Session): void {
  terminal.say(`${keyOf(where.dataset)}: ${where.rule}`);
  const there = new Set(where.copies.map(({ site }) => site));
  terminal.table(
    ['SITE', 'IN', 'COPY', 'SINCE', 'BY'],
    audit.flatMap((one) => rowsOf(one, there)),
  );
  const refusals = audit.flatMap(({ site, refusals: refused }) => refused.map((one) => ({ site, ...one })));
  terminal.say();
  if (refusals.length === 0) return terminal.say('nothing was refused');
  terminal.table(
    ['REFUSED AT', 'WHAT', 'TO', 'TIMES', 'LAST', 'WHY'],
    refusals.map((one) => [one.site, one.what, plain(one.by), String(one.count), one.last, plain(one.why)]),
  );
}

/** Each time that a copy was given or taken away, newest last. */
function rowsOf({ site, events }: CopyAudit, there: ReadonlySet<string>): string[][] {
  return events.map(({ what, at, rule, jurisdictions }, n) => {
    const last = n === events.length - 1;
    const now =
      what === 'given' && last && there.has(site) ? 'has one' : what === 'given' ? 'had one' : 'none';
    return [site, jurisdictions.join(', ') || '-', now, at, plain(rule)];
  });
}
