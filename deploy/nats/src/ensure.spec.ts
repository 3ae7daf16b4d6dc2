import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureNatsServer, type EnsureOptions, isAtLeast, MINIMUM_VERSION } from '@skerry/nats-server';

const PLATFORM = 'linux-amd64';
const NAME = `nats-server-v2.15.0-${PLATFORM}`;

let folder: string;
let servers: Server[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-nats-'));
  servers = [];
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

/** A binary that says this version. */
function fakeServer(place: string, version: string): string {
  mkdirSync(join(folder, place), { recursive: true });
  const path = join(folder, place, 'nats-server');
  writeFileSync(path, `#!/bin/sh\necho 'nats-server: v${version}'\n`);
  chmodSync(path, 0o755);
  return path;
}

/** A release's archive, with its true checksum. */
function archiveOf(version: string): { bytes: Buffer; sha256: string } {
  fakeServer(`archive/${NAME}`, version);
  execFileSync('tar', ['-czf', join(folder, 'release.tar.gz'), '-C', join(folder, 'archive'), NAME]);
  const bytes = readFileSync(join(folder, 'release.tar.gz'));
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** A mirror of the releases. */
async function mirror(answer: RequestListener): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the mirror has no port');
  return { url: `http://127.0.0.1:${address.port}/releases`, asked };
}

/** Everything that could lead to the machine's own nats-server or to a real archive is out of reach. */
function options(
  over: { env?: EnsureOptions['env']; sha256?: string; idleTimeoutMs?: number } = {},
): EnsureOptions {
  return {
    cacheDir: join(folder, 'cache'),
    env: { PATH: join(folder, 'bin'), SKERRY_NATS_RELEASE_URL: 'http://127.0.0.1:9', ...over.env },
    release: { version: '2.15.0', sha256: { [PLATFORM]: over.sha256 ?? 'a'.repeat(64) } },
    platform: PLATFORM,
    aptDir: join(folder, 'apt'),
    idleTimeoutMs: over.idleTimeoutMs ?? 5_000,
  };
}

const fromMirror = (url: string, over: Parameters<typeof options>[0] = {}): EnsureOptions =>
  options({ ...over, env: { SKERRY_NATS_RELEASE_URL: url } });

const cached = (): string[] => readdirSync(join(folder, 'cache'), { recursive: true }).map(String);

describe('a nats-server of the machine', () => {
  it('is taken from NATS_SERVER before anything else', async () => {
    const path = fakeServer('chosen', '2.14.0');
    fakeServer('bin', '2.15.1');
    const found = await ensureNatsServer(options({ env: { NATS_SERVER: path } }));
    expect(found).toEqual({ path, version: '2.14.0', from: 'NATS_SERVER', cached: false });
  });

  it('is refused when NATS_SERVER names one that is too old, though PATH has a newer one', async () => {
    const path = fakeServer('chosen', '2.9.10');
    fakeServer('bin', '2.15.1');
    await expect(ensureNatsServer(options({ env: { NATS_SERVER: path } }))).rejects.toThrow(
      `NATS_SERVER=${path} is 2.9.10, too old`,
    );
  });

  it('is refused when NATS_SERVER names nothing that runs', async () => {
    await expect(ensureNatsServer(options({ env: { NATS_SERVER: '/no/such/file' } }))).rejects.toThrow(
      'NATS_SERVER=/no/such/file: /no/such/file could not be run',
    );
  });

  it('is refused when NATS_SERVER names another program', async () => {
    await expect(ensureNatsServer(options({ env: { NATS_SERVER: '/bin/echo' } }))).rejects.toThrow(
      'does not name a version of nats-server',
    );
  });

  it('is taken from PATH', async () => {
    const path = fakeServer('bin', '2.14.3');
    expect(await ensureNatsServer(options())).toEqual({
      path,
      version: '2.14.3',
      from: 'PATH',
      cached: false,
    });
  });

  it('is passed over with its version when the one on PATH is too old', async () => {
    const path = fakeServer('bin', '2.9.10');
    const { bytes, sha256 } = archiveOf('2.15.0');
    const { url } = await mirror((_, response) => response.end(bytes));
    const said: string[] = [];
    const env = { PATH: join(folder, 'bin'), SKERRY_NATS_RELEASE_URL: url };
    const found = await ensureNatsServer({ ...options({ sha256 }), env, log: (line) => said.push(line) });
    expect(found.from).toBe('release');
    expect(said).toContain(`nats-server: ${path} is 2.9.10, too old`);
  });
});

describe('the pinned release', () => {
  it('is downloaded once and then taken from the cache', async () => {
    const { bytes, sha256 } = archiveOf('2.15.0');
    const { url, asked } = await mirror((_, response) => response.end(bytes));
    const path = join(folder, 'cache/nats-server/release-2.15.0/nats-server');
    const first = await ensureNatsServer(fromMirror(url, { sha256 }));
    expect(first).toEqual({ path, version: '2.15.0', from: 'release', cached: false });
    const second = await ensureNatsServer(fromMirror(url, { sha256 }));
    expect(second).toEqual({ path, version: '2.15.0', from: 'release', cached: true });
    expect(asked).toEqual([`/releases/v2.15.0/${NAME}.tar.gz`]);
  });

  it('is never unpacked when its checksum is wrong', async () => {
    const { bytes } = archiveOf('2.15.0');
    const { url } = await mirror((_, response) => response.end(bytes));
    await expect(ensureNatsServer(fromMirror(url))).rejects.toThrow(
      'the checksum is wrong, so it was not unpacked',
    );
    expect(cached()).toEqual([]);
  });

  it('is refused when the connection breaks in the middle', async () => {
    const { bytes, sha256 } = archiveOf('2.15.0');
    const { url } = await mirror((_, response) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
    });
    await expect(ensureNatsServer(fromMirror(url, { sha256 }))).rejects.toThrow(/release: http.*terminated/);
    expect(cached()).toEqual([]);
  });

  it('is refused when half of it comes as if it were the whole', async () => {
    const { bytes, sha256 } = archiveOf('2.15.0');
    const { url } = await mirror((_, response) => response.end(bytes.subarray(0, bytes.length / 2)));
    await expect(ensureNatsServer(fromMirror(url, { sha256 }))).rejects.toThrow('the checksum is wrong');
  });

  it('is refused when the mirror does not have it', async () => {
    const { url } = await mirror((_, response) => response.writeHead(404).end('no'));
    await expect(ensureNatsServer(fromMirror(url))).rejects.toThrow('HTTP 404');
  });

  it.each([
    ['before the answer', false],
    ['in the middle', true],
  ])('is given up when the server falls silent %s', async (_when, begins) => {
    const { url } = await mirror((_, response) => {
      if (begins) response.writeHead(200).write('some');
    });
    const start = performance.now();
    await expect(ensureNatsServer(fromMirror(url, { idleTimeoutMs: 300 }))).rejects.toThrow(
      'nothing came for 0.3 s',
    );
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('is not asked for on a platform without a pinned checksum', async () => {
    const { url, asked } = await mirror((_, response) => response.end());
    await expect(ensureNatsServer({ ...fromMirror(url), platform: 'linux-mips' })).rejects.toThrow(
      'release: no checksum pinned for linux-mips',
    );
    expect(asked).toEqual([]);
  });

  it('is refused when what is inside says a version that is too old', async () => {
    const { bytes, sha256 } = archiveOf('2.9.10');
    const { url } = await mirror((_, response) => response.end(bytes));
    await expect(ensureNatsServer(fromMirror(url, { sha256 }))).rejects.toThrow('is 2.9.10, too old');
    expect(cached()).toEqual([]);
  });

  it('is kept whole and once when several ask for it together', async () => {
    const { bytes, sha256 } = archiveOf('2.15.0');
    const { url } = await mirror((_, response) => response.end(bytes));
    const all = await Promise.all(
      Array.from({ length: 8 }, () => ensureNatsServer(fromMirror(url, { sha256 }))),
    );
    expect(new Set(all.map(({ path }) => path)).size).toBe(1);
    expect(cached().sort()).toEqual(
      ['nats-server', 'nats-server/release-2.15.0', 'nats-server/release-2.15.0/nats-server'].sort(),
    );
  });

  it('has a checksum for every platform that is promised', () => {
    const pinned = JSON.parse(readFileSync(join(import.meta.dirname, '../releases.json'), 'utf8'));
    expect(Object.keys(pinned.sha256).sort()).toEqual([
      'darwin-amd64',
      'darwin-arm64',
      'linux-amd64',
      'linux-arm64',
    ]);
    expect(Object.values(pinned.sha256).every((sum) => /^[0-9a-f]{64}$/.test(String(sum)))).toBe(true);
    expect(isAtLeast(pinned.version, MINIMUM_VERSION)).toBe(true);
  });
});

describe("Debian's archive", () => {
  const withApt = (url: string): EnsureOptions => ({
    ...options(),
    env: { PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, SKERRY_NATS_RELEASE_URL: `${url}/none` },
    platform: 'linux-none',
  });
  const source = (name: string, text: string): void => {
    mkdirSync(join(folder, 'apt/sources.list.d'), { recursive: true });
    writeFileSync(join(folder, 'apt', name), text);
  };

  // The bin folder comes first on PATH, so that a nats-server of the machine does not end the search.
  beforeEach(() => void fakeServer('bin', '2.9.10'));

  it('is not trusted without a signature of Debian', async () => {
    const release = 'Origin: Debian\nSuite: forky\nCodename: forky\nDate: Sat, 01 Jan 2022 00:00:00 UTC\n';
    const { url, asked } = await mirror((request, response) => {
      if (request.url?.endsWith('/Release')) response.end(release);
      else response.writeHead(404).end();
    });
    source('sources.list', `deb [arch=amd64] ${url.replace('/releases', '/debian')} bookworm main\n`);
    await expect(ensureNatsServer(withApt(url))).rejects.toThrow(/debian: apt-get failed .*not signed/s);
    expect(asked).toContain('/debian/dists/forky/InRelease');
    expect(cached()).toEqual([]);
  });

  it('is found in sources of one stanza each, without the security archive and what is switched off', async () => {
    const { url, asked } = await mirror((_, response) => response.writeHead(404).end());
    const host = url.replace('/releases', '');
    const stanza = (uri: string, more = ''): string =>
      `# URIs: ${host}/commented/debian\nTypes: deb\nURIs: ${host}${uri}\nSuites: bookworm\nComponents: main\n${more}`;
    const stanzas = [
      stanza('/mine/debian'),
      stanza('/debian-security'),
      stanza('/off/debian', 'Enabled: no\n'),
    ];
    source('sources.list.d/debian.sources', stanzas.join('\n'));
    await expect(ensureNatsServer(withApt(url))).rejects.toThrow('debian: apt-get failed');
    expect(new Set(asked.map((path) => path.split('/dists/')[0]))).toEqual(new Set(['/mine/debian']));
  });

  it('is not guessed when the machine names none', async () => {
    source('sources.list', 'deb http://127.0.0.1:9/ubuntu noble main\n');
    await expect(ensureNatsServer(withApt('http://127.0.0.1:9'))).rejects.toThrow(
      `debian: no archive of Debian in the sources of ${join(folder, 'apt')}`,
    );
  });
});

describe('with none to be had', () => {
  it('says what was tried and names the three ways to mend it', async () => {
    const failure = await ensureNatsServer(options()).catch((error: unknown) => error);
    const { message } = failure instanceof Error ? failure : new Error('found one');
    expect(message).toContain(`no nats-server ${MINIMUM_VERSION} or newer is to be had`);
    expect(message).toContain('PATH: no nats-server');
    expect(message).toMatch(/release: http:\/\/127\.0\.0\.1:9\S+: fetch failed/);
    expect(message).toContain('Debian: this machine has no apt-get');
    expect(message.match(/^ {2}[123]\. .*(PATH|SKERRY_NATS_RELEASE_URL|archive)/gm)).toHaveLength(3);
  });
});

describe('isAtLeast', () => {
  it.each([
    ['2.14.0', '2.14.0', true],
    ['2.14.0', '2.13.9', true],
    ['2.9.10', '2.14.0', false],
    ['3.0.0', '2.14.5', true],
    ['2.15.0-RC.2', '2.15.0', true],
    ['v2.14.1', '2.14.0', true],
  ])('%s against %s: %s', (a, b, expected) => {
    expect(isAtLeast(a, b)).toBe(expected);
  });
});
