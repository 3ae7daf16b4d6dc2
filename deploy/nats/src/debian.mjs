import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.mjs';

/** The keys that Debian's archive is signed with; the package `debian-archive-keyring` of every Debian has them. */
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** The index of a suite is 10 MB. */
const UPDATE_TIMEOUT_MS = 120_000;
const DOWNLOAD_TIMEOUT_MS = 120_000;
const UNPACK_TIMEOUT_MS = 60_000;

/** apt gives up on a silent server after this long, so that the whole stays inside the limits above. */
const SILENCE_S = 15;

/** More archives than this in the machine's sources are not tried. */
const MAX_ARCHIVES = 3;

/**
 * Downloads packages of one suite of Debian with apt, which checks the archive's signatures, and unpacks them into
 * `workDir/root`. A private apt state is used: the machine's own sources, lists and packages stay as they are, and no
 * right to administer the machine is needed.
 *
 * @param {object} options
 * @param {string} options.workDir an empty folder
 * @param {string} options.suite such as `forky`
 * @param {readonly string[]} options.packages
 * @param {boolean} options.withDependencies also what these packages need and the machine lacks
 * @param {string} options.aptDir the machine's apt folder, read for the address of the archive
 * @param {(line: string) => void} options.log
 * @returns {Promise<string>} the folder that holds what was unpacked
 */
export async function unpackDebian({ workDir, suite, packages, withDependencies, aptDir, log }) {
  const apt = await privateApt(workDir, suite, aptDir);
  log(`${packages.join(', ')}: getting Debian's package of ${suite} from ${apt.uris.join(', ')}`);
  await run([...apt.argv, 'update', '--error-on=any'], { timeoutMs: UPDATE_TIMEOUT_MS });
  const wanted = withDependencies ? await missing(apt.argv, packages) : packages;
  const debs = join(workDir, 'debs');
  await mkdir(debs);
  await run([...apt.argv, 'download', ...wanted], { timeoutMs: DOWNLOAD_TIMEOUT_MS, cwd: debs });
  const root = join(workDir, 'root');
  for (const deb of await readdir(debs)) {
    await run(['dpkg', '-x', join(debs, deb), root], { timeoutMs: UNPACK_TIMEOUT_MS });
  }
  return root;
}

/** @param {string} workDir @param {string} suite @param {string} aptDir */
async function privateApt(workDir, suite, aptDir) {
  const uris = await archivesOf(aptDir);
  if (uris.length === 0) throw new Error(`no archive of Debian in the sources of ${aptDir}`);
  if (!existsSync(KEYRING))
    throw new Error(`${KEYRING} is missing, so the archive's signatures cannot be checked`);
  const parts = join(workDir, 'sources');
  const lists = join(workDir, 'lists');
  const cache = join(workDir, 'cache');
  await Promise.all(
    [parts, join(lists, 'partial'), join(cache, 'archives', 'partial')].map((d) =>
      mkdir(d, { recursive: true }),
    ),
  );
  const source = [
    `Types: deb`,
    `URIs: ${uris.join(' ')}`,
    `Suites: ${suite}`,
    'Components: main',
    `Signed-By: ${KEYRING}`,
  ];
  await writeFile(join(parts, 'debian.sources'), `${source.join('\n')}\n`);
  /** @type {Record<string, string>} */
  const settings = {
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': parts,
    'Dir::State::lists': lists,
    'Dir::Cache': cache,
    'APT::Get::AllowUnauthenticated': 'false',
    'Acquire::AllowInsecureRepositories': 'false',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '1',
    'Acquire::http::Timeout': String(SILENCE_S),
    'Acquire::https::Timeout': String(SILENCE_S),
    // Run by root, apt would hand downloads to the user `_apt`, who may not write into a private folder.
    ...(process.getuid?.() === 0 ? { 'APT::Sandbox::User': 'root' } : {}),
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return { uris, argv: ['apt-get', '-q', ...options] };
}

/**
 * The addresses of Debian's archive in the machine's own sources, without the security archive, which has other suites.
 *
 * @param {string} aptDir such as `/etc/apt`
 * @returns {Promise<string[]>} at most three, in the order of the files
 */
export async function archivesOf(aptDir) {
  const folder = join(aptDir, 'sources.list.d');
  /** @type {string[]} */
  const names = await readdir(folder).catch(() => []);
  const files = [
    join(aptDir, 'sources.list'),
    ...names
      .filter((name) => /\.(sources|list)$/.test(name))
      .sort()
      .map((name) => join(folder, name)),
  ];
  const found = [];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    found.push(...(file.endsWith('.sources') ? urisOfStanzas(text) : urisOfLines(text)));
  }
  const archives = found.filter((uri) => /^[a-z]/.test(uri) && /\/debian\/?$/.test(uri));
  return [...new Set(archives)].slice(0, MAX_ARCHIVES);
}

/**
 * The style of one stanza per source, as in `debian.sources`.
 *
 * @param {string} text
 */
function urisOfStanzas(text) {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const lines = stanza.split('\n').filter((line) => !line.startsWith('#'));
    const fields = new Map();
    let field = '';
    for (const line of lines) {
      const head = /^([\w-]+):(.*)$/.exec(line);
      if (head) field = (head[1] ?? '').toLowerCase();
      fields.set(field, `${fields.get(field) ?? ''} ${head ? head[2] : line}`);
    }
    const words = (/** @type {string} */ name) => (fields.get(name) ?? '').trim().split(/\s+/);
    const usable =
      words('types').includes('deb') &&
      words('components').includes('main') &&
      !words('enabled').includes('no');
    return usable ? words('uris') : [];
  });
}

/**
 * The style of one line per source: `deb [options] uri suite component...`.
 *
 * @param {string} text
 */
function urisOfLines(text) {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+\S+\s+(.*)$/.exec(line.trim());
    return match?.[1] && (match[2] ?? '').split(/\s+/).includes('main') ? [match[1]] : [];
  });
}

/**
 * What apt would install for these packages on this machine, and these themselves even if they are installed.
 *
 * @param {readonly string[]} argv
 * @param {readonly string[]} packages
 */
async function missing(argv, packages) {
  const plan = await run([...argv, '-s', '--no-install-recommends', 'install', ...packages], {
    timeoutMs: UPDATE_TIMEOUT_MS,
  });
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
  return [...new Set([...packages, ...names])];
}
