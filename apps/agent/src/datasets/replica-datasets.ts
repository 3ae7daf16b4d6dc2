import type { IncomingMessage } from 'node:http';
import { LIMITS, Refusal, type DatasetAnswer } from '@skerry/contracts';
import { z } from 'zod';
import type { FurtherAnswers } from '../singletons/replica-endpoint.js';
import { askDataset, askHome, known, type Caller, type DatasetDesk } from './ask-dataset.js';
import { answerReplica, textOf } from './replica-answers.js';

const PATH = /^\/v1\/data\/([^/?]+)(?:\/([^/?]+))?(?:\?(.*))?$/;
const BODY = { maxBytes: LIMITS.datasetValueBytes, limit: 'datasetValueBytes', what: 'values' };
const CONTEXT_HEADER = 'skerry-context';
const changeSchema = z.union([
  z.strictObject({ count: z.number() }),
  z.strictObject({ add: z.array(z.string()).optional(), remove: z.array(z.string()).optional() }),
]);

/**
 * What replicas reach at their agent's endpoint, of their own project alone: `GET /v1/data/<dataset>` lists (`prefix`, `after`,
 * `limit`), with `watch=1` waits for changes (`since`, `waitMs`) or with `home=1` says who writes it, `GET`, `PUT` and `DELETE /v1/data/<dataset>/<key>` read, write
 * and delete a value, `POST` counts (`{"count": 1}`) or changes a set (`{"add": ["x"]}`). Refusals are problem details.
 */
export function replicaDatasets(
  desk: DatasetDesk,
  callerOf: (token: string) => Caller | undefined,
): FurtherAnswers {
  return (request, response, token) => {
    const match = PATH.exec(request.url ?? '');
    if (match === null) return false;
    const run = async (operation: object) =>
      await askDataset(desk, known(token === '' ? undefined : callerOf(token)), operation);
    const home = async (name: string) =>
      await askHome(desk, known(token === '' ? undefined : callerOf(token)), name);
    answerReplica(response, async () => await answer(request, match, { run, home }));
    return true;
  };
}

interface Answers {
  run: (operation: object) => Promise<DatasetAnswer>;
  home: (name: string) => Promise<object>;
}

async function answer(
  request: IncomingMessage,
  [, name = '', key, query]: RegExpExecArray,
  { run, home }: Answers,
): Promise<object> {
  const ref = { name: decoded(name) };
  if (key === undefined) {
    if (request.method !== 'GET') throw noSuch(request);
    const params = new URLSearchParams(query);
    return params.has('home') ? await home(ref.name) : await run({ ...ref, ...asked(params) });
  }
  const at = { ...ref, key: decoded(key) };
  const context = contextOf(request);
  switch (request.method) {
    case 'GET':
      return await run({ ...at, verb: 'get' });
    case 'DELETE':
      return await run({ ...at, verb: 'delete', ...context });
    case 'PUT':
      return await run({ ...at, verb: 'put', value: await textOf(request, BODY), ...context });
    case 'POST':
      return await run({ ...at, ...changed(await textOf(request, BODY)) });
    default:
      throw noSuch(request);
  }
}

function asked(query: URLSearchParams): object {
  const text = (name: string) => (query.has(name) ? { [name]: query.get(name) } : {});
  const number = (name: string) => (query.has(name) ? { [name]: Number(query.get(name)) } : {});
  if (query.has('watch')) return { verb: 'watch', ...text('since'), ...number('waitMs') };
  return { verb: 'list', ...text('prefix'), ...text('after'), ...number('limit') };
}

function changed(text: string): object {
  const body = changeSchema.safeParse(json(text));
  if (!body.success)
    throw new Refusal('invalid', 'a change is {"count": NUMBER} or {"add": […], "remove": […]}');
  return 'count' in body.data ? { verb: 'count', by: body.data.count } : { verb: 'change', ...body.data };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal('malformed', 'the body is no JSON');
  }
}

function contextOf(request: IncomingMessage): { context?: string } {
  const context = request.headers[CONTEXT_HEADER];
  return typeof context === 'string' ? { context } : {};
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refusal('malformed', 'the path is not percent-encoded');
  }
}

function noSuch(request: IncomingMessage): Refusal {
  return new Refusal('not-found', `${request.method ?? ''} is not answered here`);
}
