import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';

/** What becomes of a request: an answer that the store is busy, or a connection that breaks half-way there or half-way back. */
export type Fault = 'busy' | 'breaks off there' | 'breaks off back';

/** Stands before a store, hands over every request as it came, and does to the next ones what `faults` says. */
export class FaultyWay {
  faults: Fault[] = [];
  requests = 0;
  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
    private readonly to: string,
  ) {}

  static async start(to: string): Promise<FaultyWay> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const way = new FaultyWay(server, `http://127.0.0.1:${address.port}`, to);
    server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) =>
      way.pass(incoming, outgoing),
    );
    return way;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.requests += 1;
    const fault = this.faults.shift();
    if (fault === 'busy') {
      const body = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>no</Message></Error>';
      incoming.resume();
      outgoing.writeHead(503, { 'content-type': 'application/xml' }).end(body);
      return;
    }
    const { method, headers, url = '' } = incoming;
    // The signature is over the host that was asked for, so that stays as it came.
    const onward = request(new URL(url, this.to), { method, headers, agent: false });
    const breakOff = () => {
      onward.destroy();
      incoming.socket.destroy();
    };
    onward.on('error', breakOff);
    const half = (from: IncomingMessage, to: Writable) =>
      from
        .once('data', (part: Buffer) => to.write(part.subarray(0, part.length / 2), breakOff))
        .once('end', breakOff);
    if (fault === 'breaks off there') half(incoming, onward);
    else incoming.pipe(onward);
    onward.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      if (fault === 'breaks off back') half(answer, outgoing);
      else answer.pipe(outgoing);
    });
  }
}
