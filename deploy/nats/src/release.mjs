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
  const silence = new AbortController();
  const fail = () => silence.abort(new Error(`nothing came for ${idleTimeoutMs / 1000} s`));
  let timer = setTimeout(fail, idleTimeoutMs);
  const output = await open(file, 'wx');
  try {
    const signal = AbortSignal.any([silence.signal, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS)]);
    const response = await fetch(url, { signal });
    if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(fail, idleTimeoutMs);
      bytes += chunk.length;
      if (bytes > MAX_ARCHIVE_BYTES) throw new Error(`larger than ${MAX_ARCHIVE_BYTES} bytes`);
      hash.update(chunk);
      await output.write(chunk);
    }
    return hash.digest('hex');
  } catch (cause) {
    throw new Error(`${url}: ${reasonOf(silence.signal.reason ?? cause)}`, { cause });
  } finally {
    clearTimeout(timer);
    await output.close();
  }
}

/**
 * `fetch failed` says nothing; the cause below it does.
 *
 * @param {unknown} error
 * @returns {string}
 */
function reasonOf(error) {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error && error.cause.message !== '')
    return `${error.message}: ${error.cause.message}`;
  if (error.cause instanceof Error && 'code' in error.cause)
    return `${error.message}: ${String(error.cause.code)}`;
  return error.message;
}
