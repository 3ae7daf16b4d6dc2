import { readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DEFAULT_CACHE, inWorkFolder, keep } from './cache.mjs';
import { unpackDebian } from './debian.mjs';
import { RELEASES_URL, unpackRelease } from './release.mjs';
import { isAtLeast, MINIMUM_VERSION, versionOf, whereIs } from './version.mjs';

/** The first suite of Debian whose nats-server is new enough; it moves on, so what came says its version. */
const SUITE = 'forky';

const DEFAULT_IDLE_TIMEOUT_MS = 15_000;

/** Says what was tried, why each failed, and the three ways to mend it. */
export class NatsServerMissing extends Error {
  /** @param {readonly string[]} tried one line for each source */
  constructor(tried) {
    super(
      [
        `no nats-server ${MINIMUM_VERSION} or newer is to be had:`,
        ...tried.map((line) => `  - ${line}`),
        'mend it in one of three ways:',
        `  1. put nats-server ${MINIMUM_VERSION} or newer on PATH, or its path in NATS_SERVER`,
        `  2. let this machine reach ${RELEASES_URL}, or set SKERRY_NATS_RELEASE_URL to a mirror of it`,
        "  3. let this machine's apt reach Debian's archive (the sources in /etc/apt)",
      ].join('\n'),
    );
    this.name = 'NatsServerMissing';
  }
}

/** @typedef {import('./index.mjs').NatsServer} NatsServer */

/** @type {typeof import('./index.mjs').ensureNatsServer} */
export async function ensureNatsServer(options = {}) {
  const setting = {
    cacheDir: options.cacheDir ?? DEFAULT_CACHE,
    log: options.log ?? (() => {}),
    env: options.env ?? process.env,
    release: options.release ?? pinnedRelease(),
    platform: options.platform ?? machinePlatform(),
    aptDir: options.aptDir ?? '/etc/apt',
    idleTimeoutMs: options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
  };
  if (setting.env['NATS_SERVER']) return named(setting.env['NATS_SERVER']);
  /** @type {string[]} */
  const tried = [];
  for (const source of [fromPath, fromCache, fromRelease, fromDebian]) {
    const found = await source(setting, (line) => {
      tried.push(line);
      setting.log(`nats-server: ${line}`);
      return undefined;
    });
    if (found) return found;
  }
  throw new NatsServerMissing(tried);
}

/** @typedef {Required<import('./index.mjs').EnsureOptions>} Setting */
/** @typedef {(reason: string) => undefined} Skip says why a source gave nothing */

/**
 * A server named in `NATS_SERVER` was chosen by somebody, so a bad one is an error and nothing else is tried.
 *
 * @param {string} path
 * @returns {Promise<NatsServer>}
 */
async function named(path) {
  const version = await versionOf(path).catch((cause) => {
    throw new NatsServerMissing([`NATS_SERVER=${path}: ${cause.message}`]);
  });
  if (!isAtLeast(version, MINIMUM_VERSION))
    throw new NatsServerMissing([`NATS_SERVER=${path} is ${version}, too old`]);
  return { path: resolve(path), version, from: 'NATS_SERVER', cached: false };
}

/** @param {Setting} setting @param {Skip} skip @returns {Promise<NatsServer | undefined>} */
async function fromPath({ env }, skip) {
  const path = whereIs('nats-server', env['PATH']);
  if (!path) return skip('PATH: no nats-server');
  const version = await newEnough(path, skip);
  return version ? { path, version, from: 'PATH', cached: false } : undefined;
}

/** @param {Setting} setting @param {Skip} skip @returns {Promise<NatsServer | undefined>} */
async function fromCache({ cacheDir }, skip) {
  const kept = join(cacheDir, 'nats-server');
  const names = await readdir(kept).catch(() => []);
  for (const name of names.sort(newestFirst)) {
    const path = join(kept, name, 'nats-server');
    const version = await newEnough(path, skip);
    const from = name.startsWith('debian-') ? 'debian' : 'release';
    if (version) return { path, version, from, cached: true };
  }
  return undefined;
}

/** @param {Setting} setting @param {Skip} skip */
function fromRelease({ cacheDir, env, release, platform, idleTimeoutMs, log }, skip) {
  const baseUrl = env['SKERRY_NATS_RELEASE_URL'] || RELEASES_URL;
  return obtained('release', cacheDir, skip, (workDir) =>
    unpackRelease({ workDir, baseUrl, release, platform, idleTimeoutMs, log }),
  );
}

/** @param {Setting} setting @param {Skip} skip */
function fromDebian({ cacheDir, aptDir, env, platform, log }, skip) {
  if (!platform.startsWith('linux-') || !whereIs('apt-get', env['PATH'])) {
    return Promise.resolve(skip('Debian: this machine has no apt-get'));
  }
  return obtained('debian', cacheDir, skip, async (workDir) => {
    const packages = ['nats-server'];
    const root = await unpackDebian({
      workDir,
      suite: SUITE,
      packages,
      withDependencies: false,
      aptDir,
      log,
    });
    return join(root, 'usr/sbin/nats-server');
  });
}

/**
 * Obtains a binary, looks at its version, and keeps it under `<cache>/nats-server/<source>-<version>/`.
 *
 * @param {'release' | 'debian'} from
 * @param {string} cacheDir
 * @param {Skip} skip
 * @param {(workDir: string) => Promise<string>} obtain gives the path of the binary
 * @returns {Promise<NatsServer | undefined>}
 */
async function obtained(from, cacheDir, skip, obtain) {
  try {
    return await inWorkFolder(cacheDir, async (workDir) => {
      const binary = await obtain(workDir);
      const version = await newEnough(binary, skip);
      if (!version) return undefined;
      const ready = join(workDir, 'ready');
      await mkdir(ready);
      await chmod(binary, 0o755);
      await rename(binary, join(ready, 'nats-server'));
      const place = join(cacheDir, 'nats-server', `${from}-${version}`);
      await keep(ready, place);
      return { path: join(place, 'nats-server'), version, from, cached: false };
    });
  } catch (error) {
    return skip(`${from}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @param {string} path @param {Skip} skip @returns {Promise<string | undefined>} its version, if it will do */
async function newEnough(path, skip) {
  try {
    const version = await versionOf(path);
    if (isAtLeast(version, MINIMUM_VERSION)) return version;
    return skip(`${path} is ${version}, too old`);
  } catch (error) {
    return skip(error instanceof Error ? error.message : String(error));
  }
}

/** @param {string} a @param {string} b folders such as `debian-2.15.1` */
function newestFirst(a, b) {
  const [left, right] = [a, b].map((name) => name.replace(/^\w+-/, ''));
  if (left === right) return 0;
  return isAtLeast(left ?? '', right ?? '') ? -1 : 1;
}

/** @returns {import('./index.mjs').PinnedRelease} */
function pinnedRelease() {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../releases.json'), 'utf8'));
}

function machinePlatform() {
  return `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
}

/** @type {Promise<string> | undefined} */
let found;

/** @type {typeof import('./index.mjs').findNatsServer} */
export function findNatsServer() {
  found ??= ensureNatsServer().then(({ path }) => path);
  return found;
}
