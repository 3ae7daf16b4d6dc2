import type { IncomingMessage } from 'node:http';
import { Refusal } from '@skerry/contracts';
import type { FurtherAnswers } from '../../singletons/replica-endpoint.js';
import { known, type Caller } from '../ask-dataset.js';
import { answerReplica, textOf } from '../replica-answers.js';
import { APPEND, askLog, type LogDesk } from './ask-log.js';

const PATH = /^\/v1\/logs\/([^/?]+)(?:\?(.*))?$/;

/**
 * What replicas reach at their agent's endpoint of logs, of their own project alone: `POST /v1/logs/<dataset>` appends the body as
 * one entry, or with `lines=1` each of its lines; `GET` reads what is here (`since`, `fromMs`, `site`, `limit`, `waitMs`).
 */
export function replicaLogs(desk: LogDesk, callerOf: (token: string) => Caller | undefined): FurtherAnswers {
  return (request, response, token) => {
    const match = PATH.exec(request.url ?? '');
    if (match === null) return false;
    const [, name = '', query] = match;
    answerReplica(response, async () => {
      const caller = known(token === '' ? undefined : callerOf(token));
      const what = request.method === 'POST' ? ('write' as const) : ('read' as const);
      const operation = async () => await operationOf(request, new URLSearchParams(query));
      return await askLog(desk, caller, { name, what, operation });
    });
    return true;
  };
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
  const body = await textOf(request, APPEND);
  const values = query.has('lines') ? body.split('\n').filter((line) => line !== '') : [body];
  return { verb: 'append', values };
}
