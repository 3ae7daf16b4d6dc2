import type { Done } from '@skerry/client';
import type { WorkloadRef } from '@skerry/contracts';
import { findWorkload, keyOf } from '../names.js';
import type { Session } from './session.js';

export type WorkloadChange =
  { verb: 'scale'; replicas: number } | { verb: 'stop' } | { verb: 'start' } | { verb: 'rm' };

/** `skerry scale|stop|start|rm APP`: one command to one workload. */
export async function change(session: Session, app: string, wanted: WorkloadChange): Promise<void> {
  const { client, terminal, project } = session;
  const ref = await findWorkload(client, app, project);
  const done = await terminal.during('waiting for admission', send(session, ref, wanted));
  const [first] = done.changes;
  const what = first?.change === 'unchanged' ? 'unchanged' : WORDS[wanted.verb];
  terminal.result(done, () => {
    terminal.say(`${keyOf(ref)} ${what}, generation ${first?.generation ?? '-'}`);
    terminal.say(terminal.colours.dim(`trace ${done.traceId}`));
  });
  terminal.next(wanted.verb === 'rm' ? 'skerry status' : `skerry get ${keyOf(ref)}`);
}

const WORDS = { scale: 'scaled', stop: 'is stopped', start: 'is started', rm: 'is removed' } as const;

function send({ client }: Session, { project, name }: WorkloadRef, wanted: WorkloadChange): Promise<Done> {
  switch (wanted.verb) {
    case 'scale':
      return client.scale(project, name, wanted.replicas);
    case 'stop':
      return client.stop(project, name);
    case 'start':
      return client.start(project, name);
    case 'rm':
      return client.remove(project, name);
    default:
      return wanted satisfies never;
  }
}
