import { createServer, connect, type Server, type Socket } from 'node:net';

/** Bytes one direction may hold back before its sender is paused. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;

/**
 * A TCP relay that delays: bytes that come in at one side leave at the other `oneWayMs` later, in order, at full rate.
 * It makes distance felt on one machine; it cannot make a half-open link.
 */
export class DelayRelay {
  private readonly sockets = new Set<Socket>();
  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async listen(options: {
    oneWayMs: number;
    port?: number;
    target: { host: string; port: number };
  }): Promise<DelayRelay> {
    const server = createServer();
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(options.port ?? 0, '127.0.0.1', resolve),
    );
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the relay got no port');
    const relay = new DelayRelay(server, address.port);
    server.on('connection', (inner) => relay.join(inner, connect(options.target), options.oneWayMs));
    return relay;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private join(a: Socket, b: Socket, oneWayMs: number): void {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      this.sockets.add(from);
      from.setNoDelay(true);
      delayed(from, to, oneWayMs);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        setTimeout(() => to.destroy(), oneWayMs).unref();
      });
    }
  }
}

function delayed(from: Socket, to: Socket, oneWayMs: number): void {
  let held = 0;
  from.on('data', (chunk) => {
    held += chunk.length;
    if (held > MAX_HELD_BYTES) from.pause();
    setTimeout(() => {
      held -= chunk.length;
      if (held <= MAX_HELD_BYTES && from.isPaused()) from.resume();
      if (to.writable) to.write(chunk);
    }, oneWayMs);
  });
  from.on('end', () => setTimeout(() => to.end(), oneWayMs).unref());
}
