import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';

/** Where the project publishes its releases. `SKERRY_NATS_RELEASE_URL` names a mirror of the same layout. */
export const RELEASES_URL = 'https://github.com/nats-io/nats-server/releases/download';

/** A release's archive is 7 MB; anything ten times that is something else. */
const MAX_ARCHIVE_BYTES = 64 * 1024 * 1024;

/** The whole download: 7 MB at 60 kB/s. */
const DOWNLOAD_TIMEOUT_MS = 120_000;

const UNPACK_TIMEOUT_MS = 60_000;

/**
 * Downloads a release's archive, compares its checksum with the pinned one, and only then unpacks it.
 *
 * @param {object} options
 * @param {string} options.workDir an empty folder, for the archive and what is in it
 * @param {string} options.baseUrl
 * @param {import('./index.mjs').PinnedRelease} options.release
 * @param {string} options.platform such as `linux-amd64`
 * @param {number} options.idleTimeoutMs how long the server may be silent
 * @param {(line: string) => void} options.log
 * @returns {Promise<string>} the path of the binary inside `workDir`
 */
export async function unpackRelease({ workDir, baseUrl, release, platform, idleTimeoutMs, log }) {
  const expected = release.sha256[platform];
  if (!expected) throw new Error(`no checksum pinned for ${platform}`);
  const name = `nats-server-v${release.version}-${platform}`;
  const url = `${baseUrl.replace(/\/+$/, '')}/v${release.version}/${name}.tar.gz`;
  log(`nats-server: getting ${url}`);
  const archive = join(workDir, 'archive.tar.gz');
  const actual = await download(url, archive, idleTimeoutMs);
  if (actual !== expected) {
    throw new Error(
      `${url}: the checksum is wrong, so it was not unpacked: expected ${expected}, got ${actual}`,
    );
  }
  await run(['tar', '-xzf', archive, '-C', workDir], { timeoutMs: UNPACK_TIMEOUT_MS });
  return join(workDir, name, 'nats-server');
}

/**
 * @param {string} url
 * @param {string} file
 * @param {number} idleTimeoutMs
 * @returns {Promise<string>} the SHA-256 of what came, in hex
 */
async function download(url, file, idleTimeoutMs) {
  const stop = new AbortController();
  const giveUp = (/** @type {string} */ why) => () => stop.abort(new Error(why));
  const silent = giveUp(`nothing came for ${idleTimeoutMs / 1000} s`);
  let idle = setTimeout(silent, idleTimeoutMs);
  const whole = setTimeout(
    giveUp(`it took longer than ${DOWNLOAD_TIMEOUT_MS / 1000} s`),
    DOWNLOAD_TIMEOUT_MS,
  );
  const output = await open(file, 'wx');
  try {
    const response = await fetch(url, { signal: stop.signal });
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of response.body) {
      clearTimeout(idle);
      idle = setTimeout(silent, idleTimeoutMs);
      bytes += chunk.length;
      if (bytes > MAX_ARCHIVE_BYTES) throw new Error(`larger than ${MAX_ARCHIVE_BYTES} bytes`);
      hash.update(chunk);
      await output.write(chunk);
    }
    return hash.digest('hex');
  } catch (cause) {
    throw new Error(`${url}: ${reasonOf(stop.signal.reason ?? cause)}`, { cause });
  } finally {
    clearTimeout(idle);
    clearTimeout(whole);
    await output.close();
  }
}

/**
 * The message of an error and of the one below it: `fetch failed` alone says nothing.
 *
 * @param {unknown} error
 * @returns {string}
 */
function reasonOf(error) {
  // No instanceof: an error of fetch need not be of this realm's Error.
  if (typeof error !== 'object' || error === null || !('message' in error)) return String(error);
  const cause = 'cause' in error ? error.cause : undefined;
  const below = typeof cause === 'object' && cause !== null ? reasonBelow(cause) : '';
  return below === '' ? String(error.message) : `${String(error.message)}: ${below}`;
}

/** @param {{ message?: unknown, code?: unknown }} cause */
function reasonBelow({ message, code }) {
  const said = message === undefined || message === '' ? code : message;
  return typeof said === 'string' ? said : '';
}
