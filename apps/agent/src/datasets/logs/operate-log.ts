import {
  Refusal,
  workloadKey,
  type LogAnswer,
  type LogOperation,
  type TailOperation,
} from '@skerry/contracts';
import type { EntryLogs, KeptLog } from './entry-logs.js';

/** Does what is asked of a log at this node. Throws a `Refusal`: `not-found` for one that is not here. */
export async function operateLog(logs: EntryLogs, operation: LogOperation): Promise<LogAnswer> {
  const ref = `${operation.project}/${operation.name}`;
  const kept = logs.get(workloadKey(operation.project, operation.name));
  if (kept === undefined) {
    throw new Refusal('not-found', `no log ${ref} at ${logs.site}`, {
      hint: `"skerry data where ${ref}" says at which sites it is, and why not here`,
    });
  }
  switch (operation.verb) {
    case 'append': {
      if (kept.log.rule.flow === 'broadcast')
        throw new Refusal('conflict', `${ref} goes from the centre to the sites; this is ${logs.site}`, {
          hint: 'append without --at; here it can be read',
        });
      const { values } = operation;
      return { appended: values.length, kept: await kept.log.append(values) };
    }
    case 'tail':
      return await tail(kept, operation);
    case 'state':
      return { state: { site: logs.site, node: logs.node, ...kept.log.state() } };
  }
}

/**
 * Does what people ask through the hub. Of an encrypted log they are told how it stands, and nothing else: question and answer pass
 * the hub in clear. Throws a `Refusal`.
 */
export async function operateLogForPeople(logs: EntryLogs, operation: LogOperation): Promise<LogAnswer> {
  const { project, name, verb } = operation;
  const encrypted = logs.get(workloadKey(project, name))?.log.rule.encryption !== undefined;
  if (!encrypted || verb === 'state') return await operateLog(logs, operation);
  throw new Refusal(
    'residency',
    `${project}/${name} is encrypted: what it holds does not pass the hub in clear`,
    {
      hint: `workloads of ${project} append to it and read it at their site (/v1/logs/${name}); "skerry data where ${project}/${name}" says where it is, and how it stands`,
    },
  );
}

/** Waits for more only when there is nothing after `since`. */
async function tail({ log, more }: KeptLog, operation: TailOperation): Promise<LogAnswer> {
  const until = Date.now() + operation.waitMs;
  let answer = await log.tail(operation);
  while (operation.since !== undefined && answer.items.length === 0 && answer.lost !== true) {
    const leftMs = until - Date.now();
    if (leftMs <= 0) break;
    await more.next(leftMs);
    answer = await log.tail({ ...operation, since: answer.since });
  }
  return answer;
}
