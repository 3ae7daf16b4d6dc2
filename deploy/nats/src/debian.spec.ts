// Against Debian's real archive, where it can be reached; elsewhere these are skipped, and counted as skipped.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ensureDebianTool,
  ensureNatsServer,
  findNatsServer,
  isAtLeast,
  MINIMUM_VERSION,
} from '@skerry/nats-server';

const TIMEOUT_MS = 120_000;

/** What apt itself can reach is what counts, through whatever proxy it has been told of. */
const REACHABLE = existsSync('/usr/share/keyrings/debian-archive-keyring.gpg') && (await archiveAnswers());

async function archiveAnswers(): Promise<boolean> {
  const uris = execFileSync('apt-get', ['indextargets', '--format', '$(SITE)'], { encoding: 'utf8' }).split(
    '\n',
  );
  const site = uris.find((uri) => uri.startsWith('http')) ?? 'http://deb.debian.org/debian';
  const answer = await fetch(`${site}/dists/forky/InRelease`, {
    method: 'HEAD',
    signal: AbortSignal.timeout(5_000),
  }).catch(() => undefined);
  return answer?.ok ?? false;
}

const withArchive = REACHABLE ? it : it.skip;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-debian-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

withArchive(
  "takes Debian's nats-server of a newer suite where the release is out of reach, and keeps it in the cache alone",
  async () => {
    const found = await ensureNatsServer({
      cacheDir: folder,
      env: { PATH: '/usr/bin:/bin', SKERRY_NATS_RELEASE_URL: 'http://127.0.0.1:9' },
    });
    expect(found.from).toBe('debian');
    expect(isAtLeast(found.version, MINIMUM_VERSION)).toBe(true);
    expect(found.path).toBe(join(folder, `nats-server/debian-${found.version}/nats-server`));
    expect(readdirSync(folder)).toEqual(['nats-server']);
  },
  TIMEOUT_MS,
);

withArchive(
  "runs Debian's redis-server of the machine's own suite without installing it",
  async () => {
    // In the cache that the tests of other rooms use, so that it is downloaded once.
    const { path, env } = await ensureDebianTool('redis-server', { env: { PATH: folder } });
    const said = execFileSync(path, ['--version'], { encoding: 'utf8', env: { ...process.env, ...env } });
    expect(said).toContain('Redis server v=');
  },
  TIMEOUT_MS,
);

withArchive(
  "runs Debian's OpenStack Swift of the machine's own suite without installing it",
  async () => {
    const { path, env } = await ensureDebianTool('swift');
    const look = 'import swift.common.middleware.s3api.s3api as s3; print(s3.__file__)';
    const said = execFileSync(path, ['-c', look], { encoding: 'utf8', env: { ...process.env, ...env } });
    expect(said).toMatch(/\.cache\/debian\/swift-[a-z]+\/usr\/lib\/python3/);
  },
  TIMEOUT_MS,
);

it(
  'finds a nats-server that runs, for the tests of every room',
  async () => {
    expect(execFileSync(await findNatsServer(), ['-v'], { encoding: 'utf8' })).toContain('nats-server: v');
  },
  TIMEOUT_MS,
);
