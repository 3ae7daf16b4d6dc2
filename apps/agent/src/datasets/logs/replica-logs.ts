import type { IncomingMessage } from 'node:http';
import { LIMITS, logOperationSchema, parse, Refusal, workloadKey, type LogAnswer } from '@skerry/contracts';
import type { FurtherAnswers } from '../../singletons/replica-endpoint.js';
import { noting } from '../noting.js';
import type { RefusalsHere } from '../refused-here.js';
import { refuseReader, type Caller } from '../replica-datasets.js';
import { answerReplica, textOf } from '../replica-answers.js';
import type { EntryLogs } from './entry-logs.js';
import { operateLog } from './operate-log.js';

const PATH = /^\/v1\/logs\/([^/?]+)(?:\?(.*))?$/;

/**
 * What replicas reach at their agent's endpoint of logs, of their own project alone: `POST /v1/logs/<dataset>` appends the body as
 * one entry, or with `lines=1` each of its lines; `GET` reads what is here (`since`, `fromMs`, `site`, `limit`, `waitMs`).
 */
export function replicaLogs(
  logs: EntryLogs,
  callerOf: (token: string) => Caller | undefined,
  refusals?: Pick<RefusalsHere, 'note'>,
): FurtherAnswers {
  return (request, response, token) => {
    const match = PATH.exec(request.url ?? '');
    if (match === null) return false;
    const [, name = '', query] = match;
    answerReplica(response, async () => {
      const caller = token === '' ? undefined : callerOf(token);
      if (caller === undefined) throw new Refusal('unauthorized', 'no replica here has this token');
      const { project } = caller;
      const what = request.method === 'POST' ? ('write' as const) : ('read' as const);
      const missing = () => logs.get(workloadKey(project, name)) === undefined;
      return await noting(refusals, { caller, name, what, missing }, async () => {
        if (what === 'write') refuseReader(caller, { verb: 'put', name });
        return await asked(logs, request, { project, name, query: new URLSearchParams(query) });
      });
    });
    return true;
  };
}

async function asked(
  logs: EntryLogs,
  request: IncomingMessage,
  { project, name, query }: { project: string; name: string; query: URLSearchParams },
): Promise<LogAnswer> {
  const operation = await operationOf(request, query);
  const parsed = parse(logOperationSchema, { ...operation, project, name });
  if (!parsed.ok) throw new Refusal('invalid', 'not what can be asked of a log', { issues: parsed.issues });
  return await operateLog(logs, parsed.value);
}

async function operationOf(request: IncomingMessage, query: URLSearchParams): Promise<object> {
  if (request.method === 'GET') {
    const text = (field: string) => (query.has(field) ? { [field]: query.get(field) } : {});
    const number = (field: string) => (query.has(field) ? { [field]: Number(query.get(field)) } : {});
    const place = { ...text('since'), ...number('fromMs'), ...text('site') };
    return { verb: 'tail', ...place, ...number('limit'), ...number('waitMs') };
  }
  if (request.method !== 'POST')
    throw new Refusal('not-found', `${request.method ?? ''} is not answered here`, {
      hint: 'a log is read with GET and appended to with POST',
    });
  const body = await textOf(request, BODY);
  const values = query.has('lines') ? body.split('\n').filter((line) => line !== '') : [body];
  return { verb: 'append', values };
}

/** As much as one message between people and a site holds. */
const BODY = { maxBytes: LIMITS.recordsBytes, limit: 'recordsBytes', what: 'entries' };
