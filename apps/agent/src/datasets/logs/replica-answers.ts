import type { IncomingMessage, ServerResponse } from 'node:http';
import { ERROR_STATUS, Refusal } from '@skerry/contracts';
import { refusalOf } from '../refusal-of.js';

/** Answers a replica with what is done, or with what went wrong as problem details. */
export function answerReplica(response: ServerResponse, run: () => Promise<object>): void {
  run().then(
    (body) => send(response, 200, body),
    (error: unknown) => {
      const { ok: _ok, ...problem } = refusalOf(error);
      send(response, ERROR_STATUS[problem.code], problem);
    },
  );
}

/** The body as text; throws a `Refusal` for more than `maxBytes`, and for what is not UTF-8. */
export async function textOf(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > maxBytes)
      throw new Refusal('too-large', 'the body is too large', { hint: `at most ${maxBytes} bytes` });
    chunks.push(part);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Refusal('malformed', 'entries are UTF-8 text', {
      hint: 'bytes of another kind are not yet offered; encode them',
    });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
