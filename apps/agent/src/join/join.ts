import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join as path } from 'node:path';
import { joinAnswerSchema, parse, type JoinAnswer } from '@skerry/contracts';
import { makePrivateKey, NKey, siteConfig, writeCreds, writePrivateFile, writeSeed } from '@skerry/identity';
import { findServer, isNewEnough, serverVersion, WANTED } from '../leaf/find-server.js';
import { folders, type SiteFile } from '../site-file.js';
import { certificateRequest } from './certificate-request.js';
import { freePort } from './free-port.js';
import { askPinned, problemText, type PinnedAnswer } from './pinned-https.js';
import { readToken } from './join-token-input.js';

const STORE_BYTES = 4 * 1024 ** 3;
const MEMORY_BYTES = 64 * 1024 ** 2;

export interface JoinOptions {
  /** Join endpoint, `https://host:port`. */
  url: string;
  /** `sha256//…` of its key. */
  pin: string;
  dir: string;
}

/**
 * Makes this machine a site: makes its keys, exchanges the token for credentials, and writes the folder. Throws,
 * with the folder as it was, when the token is refused or the folder is taken; the private keys never leave it.
 */
export async function join(options: JoinOptions): Promise<void> {
  const { dir, pin } = options;
  const url = new URL(options.url);
  if (existsSync(path(dir, 'site.json'))) {
    throw new Error(
      `${dir} is the folder of a site already: \`up --dir ${dir}\` runs it, or give another --dir`,
    );
  }
  const token = await readToken();
  say(`joining at ${url.host}`);
  const binary = await serverBinary(url, pin, dir);
  const user = NKey.create('user');
  const agent = NKey.create('user');
  const operator = NKey.create('user');
  const [local, logins] = [NKey.create('user'), NKey.create('account')];
  const keyPem = makePrivateKey();
  // The name in the request counts for nothing: the hub says whose certificate it is.
  const csr = certificateRequest('joining', keyPem);
  const answer = await askPinned(new URL('/join', url), {
    pin,
    method: 'POST',
    json: { token, userKey: user.publicKey, csr },
  });
  const joined = accepted(answer);
  await writeFolder({
    dir,
    pin,
    joined,
    user,
    agent,
    operator,
    local,
    logins,
    keyPem,
    binary,
    address: answer.localAddress,
  });
  say(`joined as ${joined.site}; folder ${dir}`);
}

function accepted(answer: PinnedAnswer): JoinAnswer {
  if (answer.status !== 200 && answer.status !== 201)
    throw new Error(`the hub refuses: ${problemText(answer)}`);
  const parsed = parse(joinAnswerSchema, JSON.parse(answer.body.toString('utf8')));
  if (parsed.ok) return parsed.value;
  throw new Error(
    `the hub answers something else: ${parsed.issues.map((i) => `${i.path} ${i.problem}`).join('; ')}`,
  );
}

interface NewSite {
  dir: string;
  pin: string;
  joined: JoinAnswer;
  user: NKey;
  agent: NKey;
  operator: NKey;
  /** The agent towards applications, and what it lets them in with. */
  local: NKey;
  logins: NKey;
  keyPem: string;
  binary: string;
  address: string | undefined;
}

async function writeFolder(site: NewSite): Promise<void> {
  const { dir, joined } = site;
  const places = folders(dir);
  await mkdir(places.tls, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const tls = (name: string) => path(places.tls, name);
  await writePrivateFile(tls('leaf.key'), site.keyPem);
  await writePrivateFile(tls('leaf.crt'), joined.certificate);
  await writePrivateFile(tls('ca.crt'), joined.ca);
  await writeSeed(places.userSeed, site.user);
  await writeSeed(places.agentSeed, site.agent);
  await writeSeed(places.operatorSeed, site.operator);
  await writeSeed(places.localSeed, site.local);
  await writeSeed(places.loginsSeed, site.logins);
  await writeCreds(places.leafCreds, joined.userJwt, site.user);
  const port = await freePort();
  await writePrivateFile(
    places.leafConf,
    siteConfig({
      site: joined.site,
      client: { host: '127.0.0.1', port },
      jetstream: { storeDir: places.jetstream, maxMemoryBytes: MEMORY_BYTES, maxFileBytes: STORE_BYTES },
      users: {
        agent: site.agent.publicKey,
        operator: site.operator.publicKey,
        local: site.local.publicKey,
      },
      logins: site.logins.publicKey,
      leaf: {
        urls: joined.leafUrls,
        credsFile: places.leafCreds,
        tls: { certFile: tls('leaf.crt'), keyFile: tls('leaf.key'), caFile: tls('ca.crt') },
      },
    }),
  );
  // Last: with this file the folder is a site.
  await writePrivateFile(path(dir, 'site.json'), `${JSON.stringify(siteFile(site, port), null, 2)}\n`);
}

function siteFile({ joined, pin, binary, address }: NewSite, port: number): Partial<SiteFile> {
  return {
    site: joined.site,
    node: nodeName(),
    account: joined.account,
    server: { host: '127.0.0.1', port },
    address: address ?? '127.0.0.1',
    natsServer: binary,
    renew: { url: joined.renewUrl, pin },
  };
}

/** The machine's name as one of ours. */
function nodeName(): string {
  const name = hostname()
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return name === '' ? 'node' : name;
}

/** The machine's own nats-server when it is new enough, else the one that the hub gives out. */
async function serverBinary(url: URL, pin: string, dir: string): Promise<string> {
  const own = await findServer();
  if (own !== undefined) return own;
  say('no nats-server on this machine: taking the one that the hub offers');
  const answer = await askPinned(new URL('/nats-server', url), { pin });
  if (answer.status !== 200) {
    throw new Error(
      `no nats-server: put one on PATH or name it by NATS_SERVER (${WANTED}); the hub has none to give: ${problemText(answer)}`,
    );
  }
  const digest = createHash('sha256').update(answer.body).digest('hex');
  const promised = answer.headers['x-sha256'];
  if (typeof promised === 'string' && promised !== digest)
    throw new Error('the nats-server arrived damaged: try again');
  const binary = path(dir, 'bin', 'nats-server');
  await mkdir(path(dir, 'bin'), { recursive: true, mode: 0o700 });
  await writeFile(`${binary}.new`, answer.body, { mode: 0o700 });
  await rename(`${binary}.new`, binary);
  const version = await serverVersion(binary);
  if (version === undefined || !isNewEnough(version)) {
    throw new Error(`the hub's nats-server does not run on this machine: put one on PATH (${WANTED})`);
  }
  return binary;
}

function say(text: string): void {
  process.stderr.write(`skerry-agent: ${text}\n`);
}
