import type { IncomingMessage, ServerResponse } from 'node:http';
import { readOut, Refusal } from '@skerry/contracts';
import { problemOf } from './refusal-of.js';

const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' };

/** Answers a replica with what is done, or with what went wrong as problem details. */
export function answerReplica(response: ServerResponse, run: () => Promise<object>): void {
  run().then(
    (body) => sendJson(response, body),
    (error: unknown) => sendProblem(response, error),
  );
}

export function sendJson(response: ServerResponse, body: object): void {
  end(response, 200, body);
}

/** With its length, so that it goes out in one piece. */
function end(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { ...HEADERS, 'content-length': bytes.length, ...headers });
  response.end(bytes);
}

/** Says what went wrong, once the sender can hear it; closes the connection when too much of the request is left. */
export async function sendProblem(response: ServerResponse, error: unknown): Promise<void> {
  const problem = problemOf(error);
  const isWhole = await readOut(response.req);
  end(response, problem.status, problem, isWhole ? {} : { connection: 'close' });
}

/** A body as text; throws a `Refusal` for more than `maxBytes`, and for what is not UTF-8. `what` is in it: 'values'. */
export async function textOf(
  request: IncomingMessage,
  { maxBytes, limit, what }: { maxBytes: number; limit: string; what: string },
): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const part of partsOf(request)) {
    bytes += part.length;
    if (bytes > maxBytes)
      throw new Refusal('too-large', 'the body is too large', {
        hint: `at most ${maxBytes} bytes (limit ${limit})`,
      });
    chunks.push(part);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Refusal('malformed', `${what} are UTF-8 text`, {
      hint: 'bytes of another kind are not yet offered; encode them',
    });
  }
}

/** The parts of a body. Who stops in the middle leaves the connection as it is, so that he can answer. */
export function partsOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false });
}
