import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DEFAULT_CACHE, inWorkFolder, keep } from './cache.mjs';
import { unpackDebian } from './debian.mjs';
import { whereIs } from './version.mjs';

/**
 * What each tool needs: the packages that hold it, its name on PATH, where its binary is below the unpacked root (or on the
 * machine), and variables (a folder below that root) that tell it where its parts are.
 *
 * @typedef {{ packages: string[], onPath?: string, binaries: string[], folders: Record<string, RegExp> }} Tool
 * @type {Record<'redis-server' | 'iptables' | 'swift', Tool>}
 */
const TOOLS = {
  // redis-server is a link to a binary of redis-tools.
  'redis-server': {
    packages: ['redis-server', 'redis-tools'],
    onPath: 'redis-server',
    binaries: ['usr/bin/redis-server'],
    folders: {},
  },
  iptables: {
    packages: ['iptables'],
    onPath: 'iptables',
    binaries: ['usr/sbin/iptables-nft', 'usr/sbin/iptables-legacy'],
    folders: { XTABLES_LIBDIR: /\/xtables\/libxt_/ },
  },
  // OpenStack Swift, which is Python: unpacked where the machine has no python3 of Debian either. `swift` on PATH is its client, or
  // a compiler.
  swift: {
    packages: ['python3-swift'],
    binaries: ['usr/bin/python3', '/usr/bin/python3'],
    folders: { PYTHONPATH: /\/dist-packages\/swift$/ },
  },
};

/** @type {typeof import('./index.mjs').ensureDebianTool} */
export async function ensureDebianTool(name, options = {}) {
  const { cacheDir = DEFAULT_CACHE, log = () => {}, env = process.env, aptDir = '/etc/apt' } = options;
  const { packages, onPath } = TOOLS[name];
  const installed = onPath && whereIs(onPath, `${env['PATH'] ?? ''}:/usr/sbin:/sbin`);
  if (installed) return { path: installed, env: {} };
  const suite = ownSuite();
  const place = join(cacheDir, 'debian', `${name}-${suite}`);
  if (!existsSync(place)) {
    await inWorkFolder(cacheDir, async (workDir) => {
      const root = await unpackDebian({ workDir, suite, packages, withDependencies: true, aptDir, log });
      await keep(root, place);
    }).catch((cause) => {
      const here = onPath ? 'neither on PATH nor' : 'not';
      throw new Error(`${name} is ${here} to be had from Debian: ${cause.message}`, { cause });
    });
  }
  return runnable(name, place);
}

/** @param {keyof typeof TOOLS} name @param {string} root @returns {Promise<import('./index.mjs').DebianTool>} */
async function runnable(name, root) {
  const { binaries, folders } = TOOLS[name];
  const path = binaries.map((binary) => resolve(root, binary)).find((binary) => existsSync(binary));
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
