import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  joinAnswerSchema,
  joinRequestSchema,
  parse,
  type Problem,
  Refusal,
  renewRequestSchema,
  RPC,
} from '@skerry/contracts';
import { BUS, CONFIG, JsonLog } from '@skerry/service';
import type { z } from 'zod';
import type { ApiConfig } from '../config.js';
import { FailedTries } from '../http/failed-tries.js';
import { toProblem } from '../http/problems.js';

/** Bytes of a request to join: two keys and a token. */
const MAX_BODY_BYTES = 16 * 1024;
/** Policy signs and pushes an account before it answers. */
const JOIN_WAIT_MS = 10_000;

/** What the join endpoint answers. Nobody is logged in there: a token or a signature is in the body, and policy judges it. */
@Injectable()
export class JoinRequests {
  private readonly failedTries = new FailedTries();

  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(CONFIG) private readonly config: ApiConfig,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** Never rejects. `url` is where this endpoint was reached: sites come back there to renew. */
  async handle(request: IncomingMessage, response: ServerResponse, url: string): Promise<void> {
    // A machine that goes away in the middle is no trouble of this process.
    response.on('error', (error) => this.log.debug('a machine went away', error));
    try {
      await this.route(request, response, url);
    } catch (error) {
      const problem = toProblem(error);
      const address = request.socket.remoteAddress ?? '';
      const slow = problem.status < 500 && !this.failedTries.spend(address, Date.now());
      if (problem.code === 'internal') this.log.error('a request to join failed', error);
      const told = slow ? THROTTLED : problem;
      answer(response, told.status, told);
    }
  }

  private async route(request: IncomingMessage, response: ServerResponse, url: string): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    switch (`${request.method} ${path}`) {
      case 'POST /join':
        return this.ask(request, response, { url, subject: RPC.join, schema: joinRequestSchema });
      case 'POST /renew':
        return this.ask(request, response, { url, subject: RPC.renew, schema: renewRequestSchema });
      case 'GET /agent.mjs':
        return sendFile(response, this.config.agentBundle, 'text/javascript');
      case 'GET /nats-server':
        response.setHeader('x-platform', `${process.platform}-${process.arch}`);
        return sendFile(response, this.config.natsServer, 'application/octet-stream');
      default:
        throw new Refusal(
          'not-found',
          'here are POST /join, POST /renew, GET /agent.mjs and GET /nats-server',
        );
    }
  }

  private async ask(
    request: IncomingMessage,
    response: ServerResponse,
    to: { url: string; subject: string; schema: z.ZodType<object> },
  ): Promise<void> {
    const parsed = parse(to.schema, await readJson(request));
    if (!parsed.ok)
      throw new Refusal('invalid', 'this is no request to join or renew', {
        issues: parsed.issues.map(quiet),
      });
    const reply = await this.bus.request(to.subject, parsed.value, { timeoutMs: JOIN_WAIT_MS });
    const joined = joinAnswerSchema.parse(reply.json());
    answer(response, 200, { ...joined, renewUrl: `${to.url}/renew` });
  }
}

/** A token could stand where something else should: no value of a request to join is ever repeated. */
function quiet({ path, problem, allowed }: { path: string; problem: string; allowed?: string | undefined }) {
  return { path, problem, ...(allowed === undefined ? {} : { allowed }) };
}

const THROTTLED: Problem = {
  code: 'throttled',
  status: 429,
  title: 'too many failed tries from this address',
  issues: [],
  hint: 'wait a second',
};

async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request);
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new Refusal('malformed', 'the body is no JSON');
  }
}

/** What is over the limit is taken and thrown away, so that the refusal can still be answered. */
function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
      else reject(new Refusal('too-large', `at most ${MAX_BODY_BYTES} bytes`));
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', () => reject(new Refusal('malformed', 'the request was cut off')));
  });
}

function answer(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(body));
}

/** A file with its length and SHA-256, so that a cut transfer is noticed. */
async function sendFile(response: ServerResponse, path: string | undefined, type: string): Promise<void> {
  const size =
    path === undefined
      ? undefined
      : await stat(path).then(
          (s) => s.size,
          () => undefined,
        );
  if (path === undefined || size === undefined) throw new Refusal('not-found', 'this is not served here');
  const sha256 = await digestOf(path);
  response.writeHead(200, {
    'content-type': type,
    'content-length': size,
    'x-sha256': sha256,
    connection: 'close',
  });
  await pipeline(createReadStream(path), response);
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
