import { createHash } from 'node:crypto';
import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';

const DIAL_MS = 10_000;
const ANSWER_MS = 30_000;
/** A nats-server binary has 20 MiB. */
const MAX_BYTES = 256 * 1024 * 1024;

export interface PinnedAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Buffer;
  /** Address of this machine on the way there. */
  localAddress: string | undefined;
}

/**
 * Asks an HTTPS server that is known by the SHA-256 of its public key (`sha256//<base64>`) instead of by an
 * authority. Nothing is sent before the key was seen to be the right one. TLS 1.3.
 */
export async function askPinned(
  url: URL,
  options: { pin: string; method?: 'GET' | 'POST'; json?: unknown },
): Promise<PinnedAnswer> {
  if (url.protocol !== 'https:') throw new Error(`${url.href}: only https is spoken here`);
  const socket = await dial(url, options.pin);
  try {
    return await exchange(url, socket, options);
  } finally {
    socket.destroy();
  }
}

async function dial(url: URL, pin: string): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const socket = connect({
    host,
    port: Number(url.port === '' ? 443 : url.port),
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
    minVersion: 'TLSv1.3',
    // The key itself is checked, below.
    rejectUnauthorized: false,
  });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${url.host} does not answer`)), DIAL_MS);
    socket.once('secureConnect', resolve);
    socket.once('error', (cause) => reject(new Error(`connect to ${url.host}`, { cause })));
    socket.once('close', () => clearTimeout(timer));
    socket.once('secureConnect', () => clearTimeout(timer));
  }).catch((error: unknown) => {
    socket.destroy();
    throw error;
  });
  const found = pinOf(socket);
  if (found === pin) return socket;
  socket.destroy();
  throw new Error(
    `${url.host} is not the server of the join line: its key is ${found}, expected ${pin}. Nothing was sent`,
  );
}

function pinOf(socket: TLSSocket): string {
  const certificate = socket.getPeerX509Certificate();
  const spki = certificate?.publicKey.export({ type: 'spki', format: 'der' }) ?? Buffer.alloc(0);
  return `sha256//${createHash('sha256').update(spki).digest('base64')}`;
}

async function exchange(
  url: URL,
  socket: TLSSocket,
  options: { method?: 'GET' | 'POST'; json?: unknown },
): Promise<PinnedAnswer> {
  const body = options.json === undefined ? undefined : Buffer.from(JSON.stringify(options.json));
  return await new Promise((resolve, reject) => {
    const asked = request(
      url,
      {
        method: options.method ?? 'GET',
        // Only without an agent is this socket used, and not one that is verified by an authority.
        createConnection: () => socket,
        timeout: ANSWER_MS,
        headers:
          body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_BYTES) answer.destroy(new Error(`${url.host} sends more than ${MAX_BYTES} bytes`));
          chunks.push(chunk);
        });
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(chunks),
            localAddress: socket.localAddress,
          }),
        );
      },
    );
    asked.on('timeout', () => asked.destroy(new Error(`${url.host} does not answer within ${ANSWER_MS} ms`)));
    asked.on('error', (cause) => reject(new Error(`ask ${url.host}`, { cause })));
    asked.end(body);
  });
}

/** What an error answer says: its title and reasons, when it is a problem document; never more than 500 characters. */
export function problemText(answer: PinnedAnswer): string {
  try {
    const body: unknown = JSON.parse(answer.body.toString('utf8'));
    if (typeof body === 'object' && body !== null && 'title' in body) {
      const hint = 'hint' in body ? ` (${String(body.hint)})` : '';
      return `${String(body.title)}${hint}`.slice(0, 500);
    }
  } catch {
    // Not JSON: the status has to do.
  }
  return `status ${answer.status}`;
}
