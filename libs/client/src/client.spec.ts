import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NotSkerry, ProblemError, SiteData, SkerryClient, Unreachable } from './index.js';

type Answer = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

let server: Server;
let url: string;
let requests: IncomingMessage[];
let answer: Answer;

beforeEach(async () => {
  requests = [];
  server = createServer((request, response) => {
    requests.push(request);
    answer(request, response, requests.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const OUTCOME = {
  kind: 'Outcome',
  ok: true,
  requestId: 'some-request',
  verb: 'workload.stop',
  changes: [],
  decidedAt: '2026-01-01T00:00:00.000Z',
};

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

const problem = (status: number, code: string) => ({ code, status, title: `it is ${code}`, issues: [] });
const client = (more: { timeoutMs?: number; tries?: number } = {}) =>
  new SkerryClient({ url, token: 'sky_x', ...more });

describe('the client', () => {
  it('tries again with the same idempotency key when the cloud was not there or did not answer', async () => {
    answer = (request, response, nth) => {
      if (nth === 1) request.socket.destroy();
      else if (nth === 2) send(response, 503, problem(503, 'unavailable'));
      else if (nth === 3) send(response, 504, problem(504, 'timeout'));
      else send(response, 200, OUTCOME);
    };
    await client().stop('shop', 'web');
    const keys = new Set(requests.map((request) => request.headers['idempotency-key']));
    expect(requests).toHaveLength(4);
    expect(keys.size).toBe(1);
    expect([...keys][0]).toMatch(/^[0-9a-f]{32}$/);
  });

  it('gives up in the end, and says where nobody answers', async () => {
    answer = (request) => request.socket.destroy();
    await expect(client({ tries: 2 }).sites()).rejects.toThrow(Unreachable);
    expect(requests).toHaveLength(2);
  });

  it('does not repeat what was refused, and throws the problem as it came', async () => {
    answer = (_request, response) => send(response, 422, problem(422, 'invalid'));
    const error = await client()
      .sites()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({ problem: { code: 'invalid' } });
    expect(requests).toHaveLength(1);
  });

  it('waits at least as long as it is told', async () => {
    let firstMs = 0;
    let gapMs = 0;
    answer = (_request, response, nth) => {
      if (nth === 1) {
        firstMs = performance.now();
        send(response, 429, problem(429, 'throttled'), { 'retry-after': '1' });
      } else {
        gapMs = performance.now() - firstMs;
        send(response, 200, []);
      }
    };
    await client().sites();
    expect(gapMs).toBeGreaterThanOrEqual(950);
  });

  it('does not wait for ever for an answer', async () => {
    answer = () => undefined;
    await expect(client({ timeoutMs: 100, tries: 1 }).sites()).rejects.toThrow(/nothing within 100 ms/);
  });

  it('does not wait for ever for the rest of an answer, and asks again when it breaks off', async () => {
    const half = (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('[');
    };
    answer = (_request, response) => half(response);
    await expect(client({ timeoutMs: 200, tries: 1 }).sites()).rejects.toThrow(/nothing within 200 ms/);
    answer = (request, response) => {
      if (requests.length > 2) return send(response, 200, []);
      half(response);
      setImmediate(() => request.socket.destroy());
    };
    expect(await client().sites()).toEqual([]);
    expect(requests).toHaveLength(3);
  });

  it.each([
    ['HTML', 200, '<html>', 'text/html'],
    ['JSON of another shape', 200, '{"sites":1}', 'application/json'],
    ['an error that is no problem', 500, 'oops', 'text/plain'],
  ])('takes %s for what is no Skerry api', async (_what, status, body, type) => {
    answer = (_request, response) => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };
    await expect(client().sites()).rejects.toThrow(NotSkerry);
  });

  it('names no path outside its own, whatever a name holds', async () => {
    answer = (_request, response) => send(response, 404, problem(404, 'not-found'));
    await expect(client().workload('..', '../../admin?x=1#y')).rejects.toThrow(ProblemError);
    expect(requests[0]?.url).not.toContain('admin?');
    expect(requests[0]?.url).not.toContain('/../');
  });

  it('always names a trace, and answers the one that the api says', async () => {
    const traceId = 'a'.repeat(32);
    answer = (_request, response) => send(response, 200, OUTCOME, { 'x-trace-id': traceId });
    expect((await client().stop('shop', 'web')).traceId).toBe(traceId);
    expect(requests[0]?.headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
});

describe('an agent of another version', () => {
  it('is understood when it leaves the status to the status line, and when it says more than is known here', async () => {
    const carts = new SiteData({ url, token: 't' }).keyvalue('carts');
    const { status: _status, ...older } = problem(403, 'forbidden');
    answer = (_request, response) => send(response, 403, older);
    await expect(carts.put('k', 'v')).rejects.toMatchObject({ problem: { code: 'forbidden', status: 403 } });
    answer = (_request, response) =>
      send(response, 200, { entry: { key: 'k', value: 'v', colour: 'red' }, more: 1 });
    expect(await carts.get('k')).toEqual({ key: 'k', value: 'v' });
  });
});

describe('a stream', () => {
  const event = (id: number) => `id: ${id}\nevent: event\ndata: ${JSON.stringify(EVENT)}\n\n`;
  const EVENT = {
    specversion: '1.0',
    id: 'x',
    source: '/skerry/policy',
    type: 'dev.skerry.workload.placed.v1',
    subject: 'shop/web',
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    data: {},
  };
  const begin = (response: ServerResponse) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' });

  it('is opened again after the last event when it breaks, and ends when the api says so', async () => {
    answer = (request, response, nth) => {
      begin(response);
      if (nth === 1) response.write(event(41), () => request.socket.destroy());
      else response.end(`${event(42)}event: end\ndata: {}\n\n`);
    };
    let seen = 0;
    for await (const item of client().events({ follow: true })) seen += item.subject === 'shop/web' ? 1 : 0;
    expect(seen).toBe(2);
    expect(requests[1]?.headers['last-event-id']).toBe('41');
  });

  it('that is refused throws the refusal at once', async () => {
    answer = (_request, response) => send(response, 401, problem(401, 'unauthorized'));
    const read = async () => {
      for await (const item of client().events({ follow: true })) expect(item).toBeUndefined();
    };
    await expect(read()).rejects.toThrow(ProblemError);
    expect(requests).toHaveLength(1);
  });

  it('that fails in the middle throws the problem that it was told', async () => {
    answer = (_request, response) => {
      begin(response);
      response.end(`event: problem\ndata: ${JSON.stringify(problem(404, 'not-found'))}\n\n`);
    };
    const read = async () => {
      for await (const item of client().watchStatus()) expect(item).toBeUndefined();
    };
    await expect(read()).rejects.toThrow('it is not-found');
  });

  it('ends quietly when its reader has had enough', async () => {
    const ended = new AbortController();
    answer = (_request, response) => {
      begin(response);
      response.write(event(1));
    };
    for await (const item of client().events({ follow: true, signal: ended.signal })) {
      expect(item.subject).toBe('shop/web');
      ended.abort();
    }
    expect(requests).toHaveLength(1);
  });
});
