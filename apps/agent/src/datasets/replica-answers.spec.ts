import { createServer, type Server } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readOut, Refusal } from '@skerry/contracts';
import { answerReplica, textOf } from './replica-answers.js';

const MIB = 1024 * 1024;

describe('an answer to a replica', () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/little')
        return void readOut(request, { mostBytes: MIB }).then((isWhole) => response.end(`${isWhole}`));
      answerReplica(response, async () => {
        // Who refuses at once has not begun to read.
        if (request.url === '/refuse') throw new Refusal('forbidden', 'not this one');
        return { text: await textOf(request, { maxBytes: MIB, limit: 'recordsBytes', what: 'values' }) };
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  async function put(path: string, body: string | Uint8Array): Promise<{ status: number; answer: unknown }> {
    const answer = await fetch(`${url}${path}`, { method: 'PUT', body });
    return { status: answer.status, answer: await answer.json() };
  }

  it('is heard by one who sends more than is taken, whether the refusal comes at once or in the middle', async () => {
    const large = new Uint8Array(16 * MIB);
    for (let n = 0; n < 10; n += 1) {
      expect(await put('/values', large)).toMatchObject({
        status: 413,
        answer: { code: 'too-large', status: 413, title: 'the body is too large' },
      });
      expect(await put('/refuse', large)).toMatchObject({
        status: 403,
        answer: { code: 'forbidden', status: 403, title: 'not this one' },
      });
    }
    expect(await put('/values', 'still here')).toEqual({
      status: 200,
      answer: { text: 'still here' },
    });
  });

  it('does not wait for the end of what is too much, and says so', async () => {
    let sent = 0;
    const endless = new ReadableStream({
      pull: async (controller) => {
        sent += MIB;
        await after(1);
        controller.enqueue(new Uint8Array(MIB));
      },
    });
    const answer = await fetch(`${url}/little`, { method: 'PUT', body: endless, duplex: 'half' });
    expect(await answer.text()).toBe('false');
    await answer.body?.cancel().catch(() => undefined);
    expect(sent).toBeLessThan(64 * MIB);
  });
});
