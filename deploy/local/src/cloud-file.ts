import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import { parse, siteDescriptionSchema } from '@skerry/contracts';
import { writePrivateFile } from '@skerry/identity';
import { z } from 'zod';
import { isMissing } from './missing.js';
import { FIRST_PORT, freePorts, isFree, isOwnAddress } from './ports.js';

const port = z.number().int().min(1).max(65_535);
/** Nodes of one site on one machine. */
export const MAX_NODES = 16;
/** Servers of a hub that survives the loss of one. */
const CLUSTER = 3;

/** What a local cloud remembers of itself: its ports and its sites. Keys are in files of their own. */
const cloudFileSchema = z.strictObject({
  format: z.literal(1),
  createdAt: z.iso.datetime(),
  /** Address that sites on other machines dial; loopback keeps the cloud to this machine. */
  listen: z.string(),
  ports: z.strictObject({ api: port, hub: port, leaf: port, monitor: port, join: port }),
  /** The second and third server of a hub of three, and where the three meet. Absent: a hub of one. */
  cluster: z
    .strictObject({
      routes: z.array(port).length(CLUSTER),
      others: z.array(z.strictObject({ hub: port, leaf: port, monitor: port })).length(CLUSTER - 1),
    })
    .optional(),
  /** The sites that this machine runs itself. */
  sites: z.array(
    z.strictObject({
      description: siteDescriptionSchema,
      port,
      monitor: port,
      /** Machines that it pretends to have, each with an agent. Default 1. */
      nodes: z.number().int().min(1).max(MAX_NODES).optional(),
    }),
  ),
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

/** One server of a cloud's hub; `name` is its process's too. */
export interface HubServer {
  name: string;
  client: number;
  leaf: number;
  monitor: number;
  /** Where the others reach it; absent for a hub of one. */
  routes?: number;
}

/** The servers of a cloud's hub, one or three. */
export function hubServers({ ports, cluster }: CloudFile): HubServer[] {
  const first = { name: 'hub', client: ports.hub, leaf: ports.leaf, monitor: ports.monitor };
  if (cluster === undefined) return [first];
  const others = cluster.others.map(({ hub, leaf, monitor }, i) => ({
    name: `hub-${i + 2}`,
    client: hub,
    leaf,
    monitor,
  }));
  return [first, ...others].map((server, i) => ({ ...server, routes: cluster.routes[i] ?? 0 }));
}

/** Addresses at which services and people reach the hub. */
export const hubUrls = (cloud: CloudFile): string[] =>
  hubServers(cloud).map(({ client }) => `nats://127.0.0.1:${client}`);

/** Ports for the second and third server of a hub of three. */
export async function chooseCluster(promised: readonly number[]): Promise<NonNullable<CloudFile['cluster']>> {
  const ports = await freePorts(CLUSTER + 3 * (CLUSTER - 1), promised);
  const take = () => ports.pop() ?? 0;
  return {
    routes: Array.from({ length: CLUSTER }, take),
    others: Array.from({ length: CLUSTER - 1 }, () => ({ hub: take(), leaf: take(), monitor: take() })),
  };
}

/** Every port that the cloud's own servers and services listen on, or may. */
export function portsOf(cloud: CloudFile): number[] {
  const more = cloud.cluster;
  return [
    ...Object.values(cloud.ports),
    ...(more?.routes ?? []),
    ...(more?.others.flatMap((server) => Object.values(server)) ?? []),
    ...cloud.sites.flatMap((s) => [s.port, s.monitor]),
  ];
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
  const { api } = cloud.ports;
  // The join endpoint is opened when it is asked for, and says then if it cannot.
  const named: [string, number, string?][] = [
    ['api', api],
    ...hubServers(cloud).flatMap(({ name, client, leaf, monitor, routes }): [string, number, string?][] => [
      [name, client],
      [`${name} for sites`, leaf, cloud.listen],
      [`${name} monitoring`, monitor],
      ...(routes === undefined ? [] : [[`${name} for the others`, routes] satisfies [string, number]]),
    ]),
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
