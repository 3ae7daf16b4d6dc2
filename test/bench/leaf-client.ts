import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { NKey, parseCreds } from '@skerry/identity';

/** What a leaf connection is opened with: the content of the site's files, PEM and creds. */
export interface LeafIdentity {
  host: string;
  port: number;
  creds: string;
  cert: string;
  key: string;
  ca: string;
}

const AGAIN_MS = 1_000;
const INFO = /INFO (\{.*?\})\s*\r\n/;

/** A leaf node without a server behind it: connects as a site's server does, says what its agent would, and comes back after a loss. */
export class LeafClient {
  private socket: TLSSocket | undefined;
  private readonly context: SecureContext;
  private readonly jwt: string;
  private readonly user: NKey;
  private received = '';
  private ended = false;
  private replies = 0;
  connected = false;

  constructor(
    readonly site: string,
    private readonly identity: LeafIdentity,
    private readonly onConnected: (client: LeafClient) => void,
  ) {
    // Read once: a thousand share this process, where real ones have a machine each.
    const { cert, key, ca, creds } = identity;
    this.context = createSecureContext({ cert, key, ca, minVersion: 'TLSv1.3' });
    const { jwt, seed } = parseCreds(creds);
    this.jwt = jwt;
    this.user = NKey.fromSeed(seed);
    this.dial();
  }

  /** Sends a plain message as if an agent of the site had. */
  say(subject: string, body: object, reply?: string): void {
    if (!this.connected) return;
    const text = JSON.stringify(body);
    const head = reply === undefined ? subject : `${subject} ${reply}`;
    this.socket?.write(`LMSG ${head} ${Buffer.byteLength(text)}\r\n${text}\r\n`);
  }

  /** As `say`, with an inbox for the answer, which nobody reads. */
  ask(subject: string, body: object): void {
    this.replies += 1;
    this.say(subject, body, `_R.${this.site}.${this.replies}`);
  }

  end(): void {
    this.ended = true;
    this.socket?.destroy();
  }

  private dial(): void {
    const { host, port } = this.identity;
    this.received = '';
    const socket = connect({ host, port, secureContext: this.context });
    this.socket = socket;
    let loggedIn = false;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      // The login's words are few; of what comes after only the server's pings matter.
      const text = this.connected ? chunk.toString('latin1') : (this.received += chunk.toString('latin1'));
      if (!loggedIn && INFO.test(this.received)) {
        loggedIn = true;
        this.logIn();
      }
      if (!this.connected && /PONG\r\n/.test(this.received)) {
        this.connected = true;
        this.received = '';
        socket.write(`LS+ _R.${this.site}.>\r\n`);
        this.onConnected(this);
      }
      if (text.includes('PING\r\n')) socket.write('PONG\r\n');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.connected = false;
      // As a real leaf server with `reconnect: 1s`, and not all in the same instant.
      if (!this.ended) setTimeout(() => this.dial(), AGAIN_MS * (0.5 + Math.random())).unref();
    });
  }

  private logIn(): void {
    const info: unknown = JSON.parse(INFO.exec(this.received)?.[1] ?? '{}');
    const nonce = typeof info === 'object' && info !== null && 'nonce' in info ? String(info.nonce) : '';
    const sig = this.user.sign(nonce).toString('base64url');
    const login = {
      jwt: this.jwt,
      sig,
      name: this.site,
      server_id: `SIMULATED-${this.site}`,
      headers: true,
      remote_account: 'SITE',
    };
    this.socket?.write(`CONNECT ${JSON.stringify(login)}\r\nPING\r\n`);
  }
}
