import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { nameSchema, parse } from '@skerry/contracts';
import { NKey, readSeed, writePrivateFile, writeSeed } from '@skerry/identity';
import { readJson } from '../files/atomic-file.js';
import { identify, isAlive } from '../process/process-identity.js';
import { folders, readSiteFile, type Folders, type SiteFile } from '../site-file.js';

export interface NodeFolderOptions {
  /** Folder of the site on the machine that runs its server. */
  dir: string;
  /** Name of the further node, not used at this site before. */
  node: string;
  /** Where that machine reaches the site's server. */
  server: { host: string; port: number };
  /** Address at which replicas on that machine are reached; default loopback. */
  address?: string | undefined;
}

/**
 * Makes the folder of a further node of a site, `<dir>/nodes/<node>`, with a key of its own that the site's server knows from
 * now on. It is a secret as a whole: who has it can act as this site. Returns its path, and whether the server was told.
 */
export async function makeNodeFolder(options: NodeFolderOptions): Promise<{ folder: string; told: boolean }> {
  const { dir, server, address = '127.0.0.1' } = options;
  const named = parse(nameSchema, options.node);
  if (!named.ok)
    throw new Error(`${JSON.stringify(options.node)} is no name of a node: ${named.issues[0]?.problem}`);
  const site = await readSiteFile(dir);
  const places = folders(dir);
  const folder = join(resolve(dir), 'nodes', named.value);
  const known = await readJson(join(folder, 'site.json')).catch(() => undefined);
  if (known !== undefined || named.value === site.node)
    throw new Error(`this site has a node ${named.value}: names of nodes are used once`);
  const key = NKey.create('user');
  const first = (await readSeed(places.agentSeed)).publicKey;
  await allow(places.leafConf, { first, key: key.publicKey, node: named.value });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  await writeSeed(join(folder, 'agent.seed'), key);
  await openToApplications(places, folders(folder), named.value);
  const file: Partial<SiteFile> = {
    site: site.site,
    node: named.value,
    account: site.account,
    server: { ...server, ...(site.server.others === undefined ? {} : { others: site.server.others }) },
    address,
  };
  // Last: with this file the folder is a node's.
  await writePrivateFile(join(folder, 'site.json'), `${JSON.stringify(file, null, 2)}\n`);
  return { folder, told: await readAgain(places.leafServer) };
}

/** Where applications reach this site's first agent by subjects, they shall reach that of the further node too. */
async function openToApplications(first: Folders, own: Folders, node: string): Promise<void> {
  if (!existsSync(first.localSeed) || !existsSync(first.loginsSeed)) return;
  const local = NKey.create('user');
  const beside = (await readSeed(first.localSeed)).publicKey;
  await allow(first.leafConf, { first: beside, key: local.publicKey, node });
  await writeSeed(own.localSeed, local);
  await writeSeed(own.loginsSeed, await readSeed(first.loginsSeed));
}

/** Writes one more key beside one of the first agent, with the same rights, and whose it is: so it is found to be taken away. */
async function allow(
  conf: string,
  { first, key, node }: { first: string; key: string; node: string },
): Promise<void> {
  const text = await readFile(conf, 'utf8');
  const entry = new RegExp(`^([ \\t]*)\\{\\s*nkey: "${first}"\\s*\\}\\n`, 'm').exec(text);
  if (entry === null)
    throw new Error(
      `${conf} does not name the key of this agent: add \`{ nkey: "${key}" }\` beside the one of ${first}`,
    );
  // One line, so that it is taken away as one.
  const more = `${entry[1]}{ nkey: "${key}" } # node ${node}\n`;
  await writePrivateFile(conf, text.replace(entry[0], entry[0] + more));
}

/** Has the server of `up` read its configuration again; connections stay. False when it does not run. */
export async function readAgain(leafServer: string): Promise<boolean> {
  const known = await readJson(leafServer).catch(() => undefined);
  if (typeof known !== 'object' || known === null || !('pid' in known) || typeof known.pid !== 'number')
    return false;
  const now = identify(known.pid);
  const same = now !== undefined && JSON.stringify(now) === JSON.stringify(known) && isAlive(now);
  if (same) process.kill(known.pid, 'SIGHUP');
  return same;
}
