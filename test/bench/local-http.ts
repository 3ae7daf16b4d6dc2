import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';

interface Asked {
  method: string;
  path: string;
  token: string;
  body: string;
}

interface Answer {
  status: number;
  text: string;
}

/**
 * Asks over HTTP/1.1 with so little beside it that what is measured is who answers: Node's own client takes as long for a request as the
 * way to another site. One question at a time on each connection; answers say how long they are.
 */
export class Connections {
  private readonly free: Socket[] = [];
  private readonly all = new Set<Socket>();
  private readonly waiting: (() => void)[] = [];
  private ended = false;

  constructor(
    private readonly host: string,
    private readonly port: number,
    private readonly most: number,
  ) {}

  async ask({ method, path, token, body }: Asked): Promise<Answer> {
    const socket = await this.take();
    const length = Buffer.byteLength(body);
    const head = `${method} ${path} HTTP/1.1\r\nhost: ${this.host}\r\nauthorization: Bearer ${token}\r\ncontent-length: ${length}`;
    try {
      const answer = answerOf(socket);
      socket.write(`${head}${HEAD_END}${body}`);
      return await answer;
    } finally {
      if (!socket.destroyed) this.free.push(socket);
      this.waiting.shift()?.();
    }
  }

  destroy(): void {
    this.ended = true;
    for (const socket of this.all) socket.destroy();
  }

  private async take(): Promise<Socket> {
    for (;;) {
      if (this.ended) throw new Error('closed');
      const socket = this.free.pop();
      if (socket !== undefined && !socket.destroyed) return socket;
      if (socket === undefined && this.all.size < this.most) return await this.opened();
      if (socket === undefined) await new Promise<void>((next) => this.waiting.push(next));
    }
  }

  private async opened(): Promise<Socket> {
    const socket = connect({ host: this.host, port: this.port, noDelay: true });
    this.all.add(socket);
    socket.on('close', () => this.all.delete(socket));
    // Told to who waits for an answer, by `close`.
    socket.on('error', () => undefined);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('close', () => reject(new Error('not connected')));
    });
    return socket;
  }
}

async function answerOf(socket: Socket): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settle = () => socket.off('data', take).off('close', gone);
    const gone = () => {
      settle();
      reject(new Error('the connection ended'));
    };
    const take = (part: Buffer) => {
      bytes = bytes.length === 0 ? part : Buffer.concat([bytes, part]);
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) return;
      const head = bytes.toString('latin1', 0, end);
      const body = bodyOf(head, bytes.subarray(end + HEAD_END.length));
      if (body === undefined) return;
      settle();
      resolve({ status: Number(head.slice(9, 12)), text: body });
    };
    socket.on('data', take).on('close', gone);
  });
}

/** Undefined until it is whole. */
function bodyOf(head: string, rest: Buffer): string | undefined {
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without its length: ${head}`);
  return rest.length < Number(length) ? undefined : rest.toString();
}
