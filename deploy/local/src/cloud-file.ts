import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import { parse, siteDescriptionSchema } from '@skerry/contracts';
import { writePrivateFile } from '@skerry/identity';
import { z } from 'zod';
import { isMissing } from './missing.js';
import { FIRST_PORT, freePorts, isFree, isOwnAddress } from './ports.js';

const port = z.number().int().min(1).max(65_535);

/** What a local cloud remembers of itself: its ports and its sites. Keys are in files of their own. */
const cloudFileSchema = z.strictObject({
  format: z.literal(1),
  createdAt: z.iso.datetime(),
  /** Address that sites on other machines dial; loopback keeps the cloud to this machine. */
  listen: z.string(),
  ports: z.strictObject({ api: port, hub: port, leaf: port, monitor: port, join: port }),
  /** The sites that this machine runs itself. */
  sites: z.array(z.strictObject({ description: siteDescriptionSchema, port, monitor: port })),
  /** The examples were applied once; from then on they are the owner's, changed or removed. */
  examplesApplied: z.boolean().optional(),
});
export type CloudFile = z.infer<typeof cloudFileSchema>;

/** The cloud of a folder, or undefined when there is none yet. Throws, naming the file, when it is damaged. */
export async function readCloudFile(path: string): Promise<CloudFile | undefined> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    if (isMissing(cause)) return undefined;
    throw new Error(`read ${path}`, { cause });
  });
  if (text === undefined) return undefined;
  const parsed = parse(cloudFileSchema, jsonIn(text, path));
  if (parsed.ok) return parsed.value;
  throw damaged(path, parsed.issues.map((i) => `${i.path}: ${i.problem}`).join('; '));
}

function jsonIn(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(path, 'it is no JSON');
  }
}

function damaged(path: string, what: string): Error {
  const remedy = `put back a copy of it, or remove the folder ${dirname(path)} to found a new cloud`;
  return new Error(`${path} is damaged (${what}): ${remedy}`);
}

export async function writeCloudFile(path: string, cloud: CloudFile): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(cloud, null, 2)}\n`);
}

/** The five ports of a new cloud: those from `FIRST_PORT` on where they are free, else any but those `promised` to its sites. */
export async function choosePorts(
  mode: 'fixed' | 'ephemeral',
  promised: readonly number[],
): Promise<CloudFile['ports']> {
  const wanted = Array.from({ length: 5 }, (_, i) => FIRST_PORT + i);
  const free = mode === 'fixed' && (await Promise.all(wanted.map((p) => isFree(p)))).every(Boolean);
  const [api, hub, leaf, monitor, join] = free ? wanted : await freePorts(5, promised);
  return cloudFileSchema.shape.ports.parse({ api, hub, leaf, monitor, join });
}

/** Every port that the cloud's own servers and services listen on, or may. */
export function portsOf(cloud: CloudFile): number[] {
  return [...Object.values(cloud.ports), ...cloud.sites.flatMap((s) => [s.port, s.monitor])];
}

/** Throws unless this machine can listen on the address. */
export async function requireOwnAddress(host: string): Promise<void> {
  if (isIP(host) !== 0 && (await isOwnAddress(host))) return;
  throw new Error(
    `this machine has no address ${host}: give one of its own with --listen, or 0.0.0.0 for all`,
  );
}

/** Throws one error that names every port of the cloud that something else holds. */
export async function requireFreePorts(cloud: CloudFile, path: string): Promise<void> {
  const { api, hub, leaf, monitor } = cloud.ports;
  // The join endpoint is opened when it is asked for, and says then if it cannot.
  const named: [string, number, string?][] = [
    ['api', api],
    ['hub', hub],
    ['hub for sites', leaf, cloud.listen],
    ['hub monitoring', monitor],
    ...cloud.sites.flatMap(({ description, port: client, monitor: own }): [string, number][] => [
      [`site ${description.name}`, client],
      [`site ${description.name} monitoring`, own],
    ]),
  ];
  const taken = await Promise.all(
    named.map(async ([name, number, host]) => ((await isFree(number, host)) ? [] : [`${number} (${name})`])),
  );
  const list = taken.flat();
  if (list.length === 0) return;
  throw new Error(
    `port ${list.join(', ')} is taken by another program: end that program (\`ss -ltnp\` shows it), or change the port in ${path}`,
  );
}
