import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { BackupStore } from './backup-store.js';
import { openTarget } from './open-target.js';
import { s3AccessIn, S3Target } from './s3-target.js';
import { makeKeyText, parseKeyText } from './sealing.js';

const ACCESS = { region: 'eu-1', accessKeyId: 'id', secretAccessKey: 'secret' };
/** Names in one page: so few that lists have several. */
const PAGE = 3;

/**
 * A stand-in for a store that speaks S3 (no real one is to be had for this version of Node, see README.md): it checks the signature
 * of every request (AWS Signature Version 4, as published) and gives lists in pages.
 */
class StandIn {
  readonly blobs = new Map<string, Buffer>();
  /** Answers so many requests with 503 first. */
  busy = 0;
  requests = 0;
  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  static async start(): Promise<StandIn> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const standIn = new StandIn(server, `http://127.0.0.1:${address.port}`);
    server.on('request', (request: IncomingMessage, response) => {
      void (async () => {
        const body: Buffer[] = [];
        for await (const part of request) body.push(Buffer.from(part));
        const { status, content } = standIn.answer(request, Buffer.concat(body));
        response.writeHead(status, { 'content-type': 'application/xml' }).end(content);
      })();
    });
    return standIn;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, body: Buffer): { status: number; content: Buffer | string } {
    this.requests += 1;
    const url = new URL(request.url ?? '', this.endpoint);
    if (this.busy > 0) {
      this.busy -= 1;
      return refusal(503, 'SlowDown');
    }
    if (request.headers.authorization !== signatureOf(request, url))
      return refusal(403, 'SignatureDoesNotMatch');
    const [, bucket = '', ...rest] = decodeURIComponent(url.pathname).split('/');
    const name = rest.join('/');
    if (bucket !== 'backups') return refusal(404, 'NoSuchBucket');
    if (request.method === 'PUT') {
      this.blobs.set(name, body);
      return { status: 200, content: '' };
    }
    if (request.method === 'DELETE') {
      this.blobs.delete(name);
      return { status: 204, content: '' };
    }
    if (url.searchParams.get('list-type') === '2')
      return { status: 200, content: this.page(url.searchParams) };
    const blob = this.blobs.get(name);
    return blob === undefined ? refusal(404, 'NoSuchKey') : { status: 200, content: blob };
  }

  private page(query: URLSearchParams): string {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? '';
    const names = [...this.blobs.keys()].toSorted().filter((n) => n.startsWith(prefix) && n > after);
    const page = names.slice(0, PAGE);
    const more = names.length > PAGE;
    const contents = page.map((n) => `<Contents><Key>${n}</Key><Size>1</Size></Contents>`).join('');
    const token = more ? `<NextContinuationToken>${page.at(-1) ?? ''}</NextContinuationToken>` : '';
    return `<?xml version="1.0"?><ListBucketResult><IsTruncated>${more}</IsTruncated>${contents}${token}</ListBucketResult>`;
  }
}

function refusal(status: number, code: string): { status: number; content: string } {
  return { status, content: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>` };
}

/** What `authorization` has to be, for what the request says of itself otherwise. */
function signatureOf({ method, headers }: IncomingMessage, url: URL): string {
  const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1] ?? '';
  const values = signed.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
  const query = [...url.searchParams]
    .map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`)
    .toSorted()
    .join('&');
  const payload = String(headers['x-amz-content-sha256']);
  const canonical = [method, url.pathname, query, values.join(''), signed, payload].join('\n');
  const at = String(headers['x-amz-date']);
  const scope = `${at.slice(0, 8)}/${ACCESS.region}/s3/aws4_request`;
  const digest = createHash('sha256').update(canonical).digest('hex');
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const key = scope
    .split('/')
    .reduce<string | Buffer>((k, part) => hmac(k, part), `AWS4${ACCESS.secretAccessKey}`);
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${at}\n${scope}\n${digest}`).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${ACCESS.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
}

describe('backups at an S3-compatible store', () => {
  let store: StandIn;
  const target = (place = { bucket: 'backups', prefix: 'a/b' }, access = {}) =>
    new S3Target('s3://backups/a/b', place, { ...ACCESS, endpoint: store.endpoint, ...access });
  beforeAll(async () => (store = await StandIn.start()));
  afterAll(async () => await store.stop());
  beforeEach(() => {
    store.blobs.clear();
    store.requests = 0;
  });

  it('are blobs below the prefix, listed over as many pages as there are', async () => {
    const names = Array.from({ length: 8 }, (_, n) => `chunks/0${n}/x+y=${n}`);
    for (const name of names) await target().put(name, Buffer.from(name));
    await target().put('backups/1', Buffer.from([0, 255, 10]));
    expect([...store.blobs.keys()]).toContain('a/b/chunks/00/x+y=0');
    expect(await target().list('chunks/')).toEqual(names);
    expect([...((await target().get('backups/1')) ?? [])]).toEqual([0, 255, 10]);
    expect(await target().get('backups/2')).toBeUndefined();
    expect(await target().list('none/')).toEqual([]);
  });

  it('are encrypted there as in a folder, and found again', async () => {
    const key = parseKeyText(makeKeyText(), 'the test');
    const made = await BackupStore.open(target(), key, { make: true });
    const entry = { subject: 's', sequence: 1, storedAt: 1, headers: {}, body: Buffer.from('plain words') };
    const { name } = await made.add([entry]);
    const again = await BackupStore.open(target(), key);
    expect(await again.chunk(name)).toEqual([entry]);
    expect((await again.add([entry])).addedBytes).toBe(0);
    expect([...store.blobs.values()].some((blob) => blob.includes('plain words'))).toBe(false);
  });

  it('are asked for again while the store is busy, and not when it says no', async () => {
    store.busy = 1;
    await target().put('one', Buffer.from('1'));
    expect(store.requests).toBe(2);
    store.requests = 0;
    const stranger = target(undefined, { secretAccessKey: 'wrong' });
    await expect(stranger.put('one', Buffer.from('2'))).rejects.toThrow(
      's3://backups/a/b: write one: it answers 403 SignatureDoesNotMatch',
    );
    expect(store.requests).toBe(1);
    expect(store.blobs.get('a/b/one')?.toString()).toBe('1');
    const elsewhere = target({ bucket: 'nowhere', prefix: '' });
    await expect(elsewhere.list('chunks/')).rejects.toThrow('there is no such bucket');
  });

  it('need an address and keys from the environment, and say which are missing', async () => {
    expect(() => s3AccessIn({ AWS_ENDPOINT_URL: 'https://s3.example.org' })).toThrow(
      'the environment lacks AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY',
    );
    await expect(openTarget('s3://backups', {})).rejects.toThrow('the environment lacks AWS_ENDPOINT_URL');
    await expect(openTarget('ftp://backups', {})).rejects.toThrow('backups are not kept at ftp://backups');
  });
});
