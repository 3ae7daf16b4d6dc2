import { LIMITS, logOperationSchema, parse, Refusal, workloadKey, type LogAnswer } from '@skerry/contracts';
import { refuseReader, type Caller } from '../ask-dataset.js';
import { noting } from '../noting.js';
import type { RefusalsHere } from '../refused-here.js';
import type { EntryLogs } from './entry-logs.js';
import { operateLog } from './operate-log.js';

export interface LogDesk {
  logs: EntryLogs;
  refusals?: Pick<RefusalsHere, 'note'> | undefined;
}

/** What is asked of a log, before it is known to be right; a question that cannot be read has no verb that could be done. */
export interface LogQuestion {
  name: string;
  what: 'read' | 'write';
  /** A `LogOperation` without project and name. */
  operation: () => object | Promise<object>;
}

/** Does what a replica asks of a log of its project, by whatever way it came. Throws a `Refusal`. */
export async function askLog(
  { logs, refusals }: LogDesk,
  caller: Caller,
  { name, what, operation }: LogQuestion,
): Promise<LogAnswer> {
  const { project } = caller;
  const missing = () => logs.get(workloadKey(project, name)) === undefined;
  return await noting(refusals, { caller, name, what, missing }, async () => {
    if (what === 'write') refuseReader(caller, { verb: 'put', name });
    const asked = parse(logOperationSchema, { ...(await operation()), project, name });
    if (!asked.ok) throw new Refusal('invalid', 'not what can be asked of a log', { issues: asked.issues });
    if (asked.value.verb === 'append') refuseTooLarge(asked.value.values);
    return await operateLog(logs, asked.value);
  });
}

/** As much as one message between people and a site holds. */
export const APPEND = { maxBytes: LIMITS.recordsBytes, limit: 'recordsBytes', what: 'entries' };

function refuseTooLarge(values: readonly string[]): void {
  const bytes = values.reduce((sum, value) => sum + Buffer.byteLength(value), 0);
  if (bytes <= APPEND.maxBytes) return;
  throw new Refusal('too-large', `entries of ${bytes} bytes`, {
    hint: `at most ${APPEND.maxBytes} at once (limit ${APPEND.limit})`,
  });
}
