import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DEFAULT_CACHE, inWorkFolder, keep } from './cache.mjs';
import { unpackDebian } from './debian.mjs';
import { whereIs } from './version.mjs';

/**
 * What each tool needs: the packages that hold it, where its binary is, and variables (a folder below the unpacked
 * root) that tell it where its parts are.
 *
 * @type {Record<'redis-server' | 'iptables', { packages: string[], binaries: string[], folders: Record<string, RegExp> }>}
 */
const TOOLS = {
  // redis-server is a link to a binary of redis-tools.
  'redis-server': {
    packages: ['redis-server', 'redis-tools'],
    binaries: ['usr/bin/redis-server'],
    folders: {},
  },
  iptables: {
    packages: ['iptables'],
    binaries: ['usr/sbin/iptables-nft', 'usr/sbin/iptables-legacy'],
    folders: { XTABLES_LIBDIR: /\/xtables\/libxt_/ },
  },
};

/** @type {typeof import('./index.mjs').ensureDebianTool} */
export async function ensureDebianTool(name, options = {}) {
  const { cacheDir = DEFAULT_CACHE, log = () => {}, env = process.env, aptDir = '/etc/apt' } = options;
  const installed = whereIs(name, `${env['PATH'] ?? ''}:/usr/sbin:/sbin`);
  if (installed) return { path: installed, env: {} };
  const suite = ownSuite();
  const { packages } = TOOLS[name];
  const place = join(cacheDir, 'debian', `${name}-${suite}`);
  if (!existsSync(place)) {
    await inWorkFolder(cacheDir, async (workDir) => {
      const root = await unpackDebian({ workDir, suite, packages, withDependencies: true, aptDir, log });
      await keep(root, place);
    }).catch((cause) => {
      throw new Error(`${name} is neither on PATH nor to be had from Debian: ${cause.message}`, { cause });
    });
  }
  return runnable(name, place);
}

/** @param {keyof typeof TOOLS} name @param {string} root @returns {Promise<import('./index.mjs').DebianTool>} */
async function runnable(name, root) {
  const { binaries, folders } = TOOLS[name];
  const path = binaries.map((binary) => join(root, binary)).find((binary) => existsSync(binary));
  if (!path) throw new Error(`${name}: Debian's package holds none of ${binaries.join(', ')}`);
  const files = (await readdir(root, { recursive: true })).map((file) => `${root}/${file}`);
  const libraries = files
    .filter((file) => /\.so\.\d+$/.test(file))
    .map((file) => dirname(realpathSync(file)));
  /** @type {Record<string, string>} */
  const env = libraries.length > 0 ? { LD_LIBRARY_PATH: [...new Set(libraries)].join(':') } : {};
  for (const [variable, pattern] of Object.entries(folders)) {
    const part = files.find((file) => pattern.test(file));
    if (part) env[variable] = dirname(part);
  }
  return { path, env };
}

/** The machine's own suite, so that what is unpacked fits the libraries that are installed. */
function ownSuite() {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const suite = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1];
  if (!suite) throw new Error('/etc/os-release names no suite of Debian (VERSION_CODENAME)');
  return suite;
}
