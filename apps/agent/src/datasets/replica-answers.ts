import { isUtf8 } from 'node:buffer';
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

/** With its length and as text, so that head and body go out in one piece. */
function end(response: ServerResponse, status: number, body: object, headers: object = {}): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { ...HEADERS, 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
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
  const bytes = await bytesOf(request, (length) => {
    if (length > maxBytes)
      throw new Refusal('too-large', 'the body is too large', {
        hint: `at most ${maxBytes} bytes (limit ${limit})`,
      });
  });
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new Refusal('malformed', `${what} are UTF-8 text`, {
    hint: 'bytes of another kind are not yet offered; encode them',
  });
}

/** A body in one piece. By its events: an iterator costs as much as the rest of a small request. `check` throws at a length that is too much. */
async function bytesOf(request: IncomingMessage, check: (length: number) => void): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    const settle = () => request.off('data', take).off('end', whole).off('close', gone).off('error', fail);
    const fail = (cause: unknown) => {
      settle();
      request.pause();
      reject(cause instanceof Error ? cause : new Error(String(cause)));
    };
    const take = (part: Buffer) => {
      parts.push(part);
      length += part.length;
      try {
        check(length);
      } catch (error) {
        fail(error);
      }
    };
    const whole = () => {
      settle();
      const [only] = parts;
      resolve(only !== undefined && parts.length === 1 ? only : Buffer.concat(parts));
    };
    const gone = () => fail(new Error('the connection ended before the body was whole'));
    if (request.destroyed || request.readableEnded) return gone();
    request.on('data', take).on('end', whole).on('close', gone).on('error', fail);
  });
}

/** The parts of a body. Who stops in the middle leaves the connection as it is, so that he can answer. */
export function partsOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false });
}
