import { readFile } from 'node:fs/promises';
import { connect, type TLSSocket } from 'node:tls';
import { NKey, parseCreds } from '@skerry/identity';

/** What a leaf connection is opened with; the thief of a site has all of it. */
export interface LeafIdentity {
  /** Default 127.0.0.1. */
  host?: string;
  port: number;
  creds: string;
  /** Client certificate and key, PEM; none for one who has only the creds. */
  certificate?: { certFile: string; keyFile: string };
  caFile: string;
}

const INFO = /INFO (\{.*?\})\s*\r\n/;

/** A hand-made leaf node: sends what a real server never would. */
export class LeafAttacker {
  private received = '';
  private end: string | undefined;

  private constructor(private readonly socket: TLSSocket) {
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      if (this.received.includes('PING\r\n')) this.socket.write('PONG\r\n');
    });
    socket.on('close', () => (this.end ??= 'closed'));
    socket.on('error', (error) => (this.end = error.message));
  }

  /** Dials the hub, logs in with the identity's user and waits for the hub's verdict. */
  static async connect(identity: LeafIdentity): Promise<LeafAttacker> {
    const attacker = new LeafAttacker(await dial(identity));
    await attacker.wait(INFO);
    const info: unknown = JSON.parse(INFO.exec(attacker.received)?.[1] ?? '{}');
    const nonce = typeof info === 'object' && info !== null && 'nonce' in info ? String(info.nonce) : '';
    const { jwt, seed } = parseCreds(identity.creds);
    const sig = NKey.fromSeed(seed).sign(nonce).toString('base64url');
    const login = {
      jwt,
      sig,
      name: 'attacker',
      server_id: 'ATTACKER',
      headers: true,
      remote_account: 'SITE',
    };
    attacker.socket.write(`CONNECT ${JSON.stringify(login)}\r\nPING\r\n`);
    await attacker.wait(/PONG\r\n/);
    return attacker;
  }

  subscribe(subject: string): void {
    this.socket.write(`LS+ ${subject}\r\n`);
  }

  publish(subject: string, body: string, reply?: string): void {
    const head = reply === undefined ? subject : `${subject} ${reply}`;
    this.socket.write(`LMSG ${head} ${Buffer.byteLength(body)}\r\n${body}\r\n`);
  }

  /** Everything that the hub sent, raw. */
  text(): string {
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }

  /** Waits until the hub sent this; throws its last words when it hangs up or 15 s pass. */
  async wait(pattern: RegExp): Promise<void> {
    const deadline = Date.now() + 15_000;
    while (!pattern.test(this.received)) {
      if (this.end !== undefined || Date.now() > deadline) {
        throw new Error(`hub: ${this.received.slice(-300)} ${this.end ?? 'silent'}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

async function dial(identity: LeafIdentity): Promise<TLSSocket> {
  const { certificate } = identity;
  const mine =
    certificate === undefined
      ? {}
      : { cert: await readFile(certificate.certFile), key: await readFile(certificate.keyFile) };
  const socket = connect({
    host: identity.host ?? '127.0.0.1',
    port: identity.port,
    minVersion: 'TLSv1.3',
    ca: await readFile(identity.caFile),
    ...mine,
  });
  return await new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket)).once('error', reject);
  });
}
