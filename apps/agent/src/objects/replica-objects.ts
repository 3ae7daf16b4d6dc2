import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { contentTypeSchema, datasetKeySchema, LIMITS, Refusal } from '@skerry/contracts';
import { noting } from '../datasets/noting.js';
import { partsOf, sendJson, sendProblem } from '../datasets/replica-answers.js';
import type { RefusalsHere } from '../datasets/refused-here.js';
import { refuseReader, type Caller } from '../datasets/ask-dataset.js';
import type { FurtherAnswers } from '../singletons/replica-endpoint.js';
import { datasetKeyOf, type Objects } from './objects.js';

const PATH = /^\/v1\/data\/([^/?]+)\/([^/?]+)$/;
const RANGE = /^bytes=(\d{1,15})-$/;
const PLAIN = 'application/octet-stream';

/**
 * Objects at the endpoint that replicas reach, of their own project alone: `PUT /v1/data/<dataset>/<key>` makes one of the body,
 * `GET` reads it (`Range: bytes=N-` from a place on, `If-Match` that one alone), `HEAD` says what it is and whether it is here. As
 * many at once as `objectTransfers` allows. What is not about the bytes of an object is answered like that of other datasets.
 */
export function replicaObjects(
  objects: Objects,
  callerOf: (token: string) => Caller | undefined,
  refusals?: Pick<RefusalsHere, 'note'>,
): FurtherAnswers {
  let under = 0;
  return (request, response, token) => {
    const match = PATH.exec(request.url ?? '');
    const caller = token === '' ? undefined : callerOf(token);
    if (match === null || caller === undefined) return false;
    const [, name = '', key = ''] = match;
    const dataset = datasetKeyOf({ project: caller.project, name });
    if (objects.kept(dataset) === undefined) return false;
    const answer = ANSWERS[request.method ?? ''];
    if (answer === undefined) return false;
    under += 1;
    const done = (async () => {
      if (under > LIMITS.objectTransfers)
        throw new Refusal('throttled', 'too many transfers at once', {
          hint: `at most ${LIMITS.objectTransfers} at this node (limit objectTransfers)`,
        });
      const what = request.method === 'PUT' ? ('write' as const) : ('read' as const);
      // One that is not here is answered like other datasets.
      await noting(refusals, { caller, name, what, missing: () => false }, async () => {
        if (what === 'write') refuseReader(caller, { verb: 'put', name });
        await answer({ objects, dataset, key: keyIn(key), request, response });
      });
    })();
    done.catch((error: unknown) => refuse(response, error)).finally(() => (under -= 1));
    return true;
  };
}

interface Asked {
  objects: Objects;
  dataset: string;
  key: string;
  request: IncomingMessage;
  response: ServerResponse;
}

const ANSWERS: Readonly<Record<string, (asked: Asked) => Promise<void>>> = { GET: get, HEAD: head, PUT: put };

async function put({ objects, dataset, key, request, response }: Asked): Promise<void> {
  const most = objects.needed(dataset).copy.rule.objects?.objectBytes ?? 0;
  if (Number(request.headers['content-length'] ?? 0) > most)
    throw new Refusal('too-large', `a body of ${request.headers['content-length']} bytes`, {
      hint: `an object of this dataset has at most ${most} (spec.objects.objectBytes)`,
    });
  const type = contentTypeSchema.safeParse(request.headers['content-type'] ?? PLAIN);
  if (!type.success)
    throw new Refusal('invalid', 'the content type is none', {
      hint: `printable ASCII, at most ${LIMITS.contentTypeChars} characters (limit contentTypeChars)`,
    });
  const object = await objects.put(dataset, key, partsOf(request), { contentType: type.data });
  sendJson(response, { object });
}

async function get({ objects, dataset, key, request, response }: Asked): Promise<void> {
  const wanted = /^"(sha256:[0-9a-f]{64})"$/.exec(request.headers['if-match'] ?? '')?.[1];
  const open = await objects.read(dataset, key, wanted);
  try {
    const { size, digest, contentType } = open.manifest;
    const [, begin] = RANGE.exec(request.headers.range ?? '') ?? [];
    const offset = begin === undefined ? 0 : Number(begin);
    if (offset > size)
      throw new Refusal('invalid', `${key} has ${size} bytes`, { hint: 'a range within it' });
    response.writeHead(begin === undefined ? 200 : 206, {
      'content-type': contentType,
      'content-length': size - offset,
      etag: `"${digest}"`,
      'accept-ranges': 'bytes',
      'cache-control': 'no-store',
      ...(begin === undefined ? {} : { 'content-range': `bytes ${offset}-${size - 1}/${size}` }),
    });
    await pipeline(Readable.from(open.from(offset), { objectMode: false }), response);
  } finally {
    open.end();
  }
}

async function head({ objects, dataset, key, response }: Asked): Promise<void> {
  const manifest = objects.newest(dataset, key);
  if (manifest === undefined) throw new Refusal('not-found', `there is no key ${key}`);
  const { size, contentType, digest, complete } = await objects.entry(dataset, key, manifest);
  response.writeHead(200, {
    'content-type': contentType,
    'content-length': size,
    etag: `"${digest}"`,
    'skerry-complete': String(complete),
  });
  response.end();
}

async function refuse(response: ServerResponse, error: unknown): Promise<void> {
  // Too late to say anything: who reads sees that it is not all.
  if (response.headersSent) response.destroy();
  else await sendProblem(response, error);
}

function keyIn(part: string): string {
  try {
    return datasetKeySchema.parse(decodeURIComponent(part));
  } catch {
    throw new Refusal('malformed', 'the path names no key', {
      hint: `percent-encoded, at most ${LIMITS.datasetKeyChars} characters (limit datasetKeyChars)`,
    });
  }
}
