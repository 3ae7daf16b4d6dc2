import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { nameSchema } from '@skerry/contracts';
import { z } from 'zod';
import { CommandFailed, EXIT } from '../exit-codes.js';

/** What is needed of `site.json`. */
const siteFileSchema = z.looseObject({
  site: nameSchema,
  server: z.looseObject({ host: z.string().default('127.0.0.1'), port: z.number().int().min(1).max(65_535) }),
});

/** A site on this machine: its name, its own server, and the seed of the user that people act as. */
export interface SiteFolder {
  dir: string;
  site: string;
  server: string;
  seedFile: string;
}

/**
 * The folder of a site: a path, or a name that is looked for among the sites of the local cloud (in `SKERRY_HOME`, else the
 * nearest `.skerry`) and in `./skerry-site`. Throws `CommandFailed`.
 */
export function findSiteFolder(here: string, env: NodeJS.ProcessEnv, cwd: string): SiteFolder {
  for (const dir of candidates(here, env, cwd)) {
    const found = readFolder(dir);
    if (found !== undefined && (isPath(here) || found.site === here)) return found;
  }
  throw new CommandFailed(
    EXIT.usage,
    `there is no folder of site ${here} on this machine`,
    'ask at a machine of the site, with the folder that holds its site.json: skerry --site /path/of/the/site status',
  );
}

function candidates(here: string, env: NodeJS.ProcessEnv, cwd: string): string[] {
  if (isPath(here)) return [resolve(cwd, here)];
  const home = env['SKERRY_HOME'];
  const homes =
    home === undefined || home === '' ? above(cwd).map((dir) => join(dir, '.skerry')) : [resolve(home)];
  return [...homes.map((dir) => join(dir, 'sites', here)), join(cwd, 'skerry-site'), join(cwd, here)];
}

function isPath(here: string): boolean {
  return here.includes('/') || here.startsWith('.');
}

function above(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...above(parent)];
}

function readFolder(dir: string): SiteFolder | undefined {
  let text: string;
  try {
    text = readFileSync(join(dir, 'site.json'), 'utf8');
  } catch {
    return undefined;
  }
  const parsed = siteFileSchema.safeParse(jsonOf(text));
  if (!parsed.success) throw new CommandFailed(EXIT.usage, `${join(dir, 'site.json')} is not that of a site`);
  const { site, server } = parsed.data;
  return { dir, site, server: `${server.host}:${server.port}`, seedFile: join(dir, 'operator.seed') };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
