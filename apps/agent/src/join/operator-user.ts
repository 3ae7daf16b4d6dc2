import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { NKey, readSeed, siteOperatorEntry, writePrivateFile, writeSeed } from '@skerry/identity';
import type { Folders } from '../site-file.js';

/**
 * Gives a site that was made before there was one the user that people act as (`skerry --site`): a key of its own, its entry beside
 * that of the first agent in the server's configuration, and its seed. Whether it did: the server then has to read its
 * configuration again. Throws when the configuration was changed by hand and does not name this agent.
 */
export async function makeOperator(places: Folders): Promise<boolean> {
  if (existsSync(places.operatorSeed) || !existsSync(places.leafConf)) return false;
  const first = (await readSeed(places.agentSeed)).publicKey;
  const text = await readFile(places.leafConf, 'utf8');
  const entry = new RegExp(`^[ \\t]*\\{\\s*nkey: "${first}"\\s*\\}\\n`, 'm').exec(text)?.[0];
  if (entry === undefined)
    throw new Error(`${places.leafConf} does not name the key of this agent: no user for people at the site`);
  const operator = NKey.create('user');
  await writePrivateFile(places.leafConf, text.replace(entry, entry + siteOperatorEntry(operator.publicKey)));
  // Last: with a seed there is a user.
  await writeSeed(places.operatorSeed, operator);
  return true;
}
