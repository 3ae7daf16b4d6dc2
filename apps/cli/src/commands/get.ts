import type { WorkloadView } from '@skerry/contracts';
import { formatVersion } from '@skerry/contracts';
import { findWorkload, keyOf } from '../names.js';
import { plain } from '../output/terminal.js';
import { phaseText, placementText, reasonLines } from '../output/workload-lines.js';
import type { Session } from './session.js';
import { status } from './status.js';

/** `skerry get [APP]`: one workload whole, or all in short. */
export async function get(session: Session, app: string | undefined): Promise<void> {
  if (app === undefined) return status(session);
  const { client, terminal, project } = session;
  const ref = await findWorkload(client, app, project);
  const view = await terminal.during('reading the workload', client.workload(ref.project, ref.name));
  terminal.result(view, () => show(view, session));
  terminal.next(`skerry why ${keyOf(ref)}`, `skerry logs ${keyOf(ref)}`);
}

function show({ workload, placement, status: now }: WorkloadView, { terminal }: Session): void {
  const { spec } = workload;
  const runs = spec.run.command?.join(' ') ?? '-';
  const rows: [string, string][] = [
    ['workload', `${keyOf(workload)} (${spec.type})`],
    [
      'generation',
      `${workload.generation}${workload.stopped ? ', stopped' : ''}, since ${workload.updatedAt}`,
    ],
    ['runs', `${spec.run.driver}: ${plain(runs)}`],
    [
      'phase',
      now
        ? `${phaseText(now.phase, terminal)}, ${now.running} of ${now.wanted} running`
        : 'not known: the read model does not answer',
    ],
    [
      'placed',
      placement ? `${placementText(placement)}, version ${formatVersion(placement.version)}` : 'not yet',
    ],
  ];
  for (const [name, value] of rows) terminal.say(`${terminal.colours.bold(name.padEnd(11))}${value}`);
  const replicas = (now?.sites ?? []).flatMap(({ site, replicas: there }) =>
    there.map((replica) => ({ site, replica })),
  );
  if (replicas.length > 0) {
    terminal.say();
    terminal.table(
      ['SITE', 'NODE', 'SLOT', 'PHASE', 'ADDRESS', 'RESTARTS', 'PID', 'MESSAGE'],
      replicas.map(({ site, replica }) => [
        site,
        replica.node,
        String(replica.slot),
        replica.phase,
        plain(Object.values(replica.addresses).join(' ')) || '-',
        String(replica.restarts),
        replica.pid === undefined ? '-' : String(replica.pid),
        plain(replica.message ?? ''),
      ]),
    );
  }
  for (const line of now ? reasonLines(now) : []) terminal.say(line);
}
