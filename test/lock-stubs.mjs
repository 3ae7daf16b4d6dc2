// Adds the lock entries of platform packages that npm left out of package-lock.json.
//
// A registry mirror may carry only some of the optional packages that serve one platform each (esbuild, swc and
// the like publish one per platform). `npm install` then skips the missing ones without an entry, and `npm ci`
// refuses the lock it wrote: "Missing: ... from lock file". The entries added here are those that a full registry
// would have given, without the integrity of what was never seen; npm skips them on every other platform.
//
//   node test/lock-stubs.mjs [package-lock.json]     run it after a change of dependencies; running it again is harmless
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Words in a package's name that tell its operating system, in npm's spelling. Longer words come first. */
const OS_WORDS = [
  ['openharmony', 'openharmony'],
  ['android', 'android'],
  ['freebsd', 'freebsd'],
  ['netbsd', 'netbsd'],
  ['openbsd', 'openbsd'],
  ['darwin', 'darwin'],
  ['windows', 'win32'],
  ['win32', 'win32'],
  ['linux', 'linux'],
  ['macos', 'darwin'],
  ['sunos', 'sunos'],
  ['wasm32', 'none'],
  ['wasi', 'none'],
  ['aix', 'aix'],
];

/** Words that tell the processor. `arm64` comes before `arm`, which it contains. */
const CPU_WORDS = [
  ['mips64el', 'mips64el'],
  ['riscv64', 'riscv64'],
  ['loong64', 'loong64'],
  ['wasm32', 'wasm32'],
  ['s390x', 's390x'],
  ['ppc64', 'ppc64'],
  ['arm64', 'arm64'],
  ['ia32', 'ia32'],
  ['x64', 'x64'],
  ['arm', 'arm'],
];

/**
 * The lock with an entry for every optional dependency that has none.
 *
 * @param {{ packages: Record<string, Record<string, unknown>> }} lock a parsed package-lock.json, version 3
 * @returns {{ lock: typeof lock, added: string[], unknown: string[] }} `unknown`: packages whose name tells no platform,
 *   which get no entry
 */
export function addStubs(lock) {
  const packages = { ...lock.packages };
  const added = [];
  const unknown = [];
  for (const [place, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isLocked(packages, place, name)) continue;
      const platform = platformOf(name);
      if (!platform) {
        unknown.push(`${name}, wanted by ${place}`);
        continue;
      }
      const { cpu, libc, os } = platform;
      const dev = entry.dev ? { dev: true } : {};
      packages[`node_modules/${name}`] = {
        version: range.replace(/^[\^~]/, ''),
        ...cpu,
        ...dev,
        ...libc,
        optional: true,
        ...os,
      };
      added.push(name);
    }
  }
  // npm keeps its entries in this order, so that the next `npm install` changes nothing.
  const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  return { lock: { ...lock, packages: sorted }, added, unknown };
}

/** Whether Node's lookup from `place` finds `name` in the lock: there, or in any folder above. */
function isLocked(packages, place, name) {
  for (let folder = place; ; folder = parentOf(folder)) {
    if (packages[`${folder ? `${folder}/` : ''}node_modules/${name}`]) return true;
    if (folder === '') return false;
  }
}

function parentOf(folder) {
  const end = folder.lastIndexOf('/node_modules/');
  return end < 0 ? '' : folder.slice(0, end);
}

function platformOf(name) {
  const base = name.split('/').pop();
  const os = OS_WORDS.find(([word]) => base.includes(word))?.[1];
  const cpu = CPU_WORDS.find(([word]) => base.includes(word))?.[1];
  if (!os && !cpu) return undefined;
  return { cpu: cpu && { cpu: [cpu] }, libc: libcOf(base, os), os: os && { os: [os] } };
}

function libcOf(base, os) {
  if (base.includes('musl')) return { libc: ['musl'] };
  return os === 'linux' && /gnu|glibc/.test(base) ? { libc: ['glibc'] } : {};
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const file = process.argv[2] ?? 'package-lock.json';
  const { lock, added, unknown } = addStubs(JSON.parse(readFileSync(file, 'utf8')));
  for (const line of unknown) console.error(`no platform can be told from the name: ${line}`);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${file}: ${added.length} entries added`);
}
