import {
  LIMITS,
  Refusal,
  type ObjectAnswer,
  type ObjectEntry,
  type ObjectOperation,
} from '@skerry/contracts';
import { datasetKeyOf, type Objects } from './objects.js';
import type { Uploads } from './uploads.js';

export interface ObjectDesk {
  objects: Objects;
  uploads: Uploads;
  site: string;
  node: string;
}

/** Does what people ask of the objects at this node. Of an encrypted dataset nothing: it would pass the hub in clear. Throws a `Refusal`. */
export async function operateObjects(desk: ObjectDesk, operation: ObjectOperation): Promise<ObjectAnswer> {
  const { objects, uploads } = desk;
  const dataset = datasetKeyOf(operation);
  const { copy } = objects.needed(dataset);
  if (copy.rule.encryption !== undefined) throw encrypted(operation);
  switch (operation.verb) {
    case 'list':
      return await list(objects, dataset, operation);
    case 'state':
      return { object: await present(objects, dataset, operation.key), site: desk.site, node: desk.node };
    case 'read':
      return await read(objects, dataset, operation);
    case 'begin': {
      const most = copy.rule.objects?.objectBytes ?? 0;
      if (operation.size > most)
        throw new Refusal('too-large', `a file of ${operation.size} bytes`, {
          hint: `an object of this dataset has at most ${most} (spec.objects.objectBytes)`,
        });
      return { received: await uploads.begin(idOf(dataset, operation)), site: desk.site };
    }
    case 'piece': {
      const bytes = Buffer.from(operation.bytes, 'base64');
      return {
        received: await uploads.add(idOf(dataset, operation), operation.offset, bytes),
        site: desk.site,
      };
    }
    case 'finish':
      return await finish(desk, dataset, operation);
    default:
      return operation satisfies never;
  }
}

function encrypted({ project, name }: Pick<ObjectOperation, 'project' | 'name'>): Refusal {
  return new Refusal(
    'residency',
    `${project}/${name} is encrypted: what it holds does not pass the hub in clear`,
    {
      hint: `workloads with "data: [{dataset: ${name}}]" read and write its objects at their site; "skerry data where ${project}/${name}" says how its copies stand`,
    },
  );
}

async function finish(
  { objects, uploads, site, node }: ObjectDesk,
  dataset: string,
  { upload, key, digest, contentType }: Extract<ObjectOperation, { verb: 'finish' }>,
): Promise<ObjectAnswer> {
  const id = idOf(dataset, { upload });
  // Asked for again, it is there already.
  const there = objects.newest(dataset, key);
  if (there?.digest === digest && (await uploads.received(id)) === 0)
    return { object: await objects.entry(dataset, key, there), site, node };
  try {
    const object = await objects.put(dataset, key, uploads.read(id), { contentType, digest });
    return { object, site, node };
  } finally {
    await uploads.remove(id);
  }
}

async function list(
  objects: Objects,
  dataset: string,
  { prefix = '', after = '', limit }: Extract<ObjectOperation, { verb: 'list' }>,
): Promise<ObjectAnswer> {
  const keys = objects.keysOf(dataset).filter((key) => key.startsWith(prefix) && key > after);
  const sorted = keys.toSorted((a, b) => (a < b ? -1 : 1));
  const entries: ObjectEntry[] = [];
  for (const key of sorted.slice(0, limit)) {
    const manifest = objects.newest(dataset, key);
    if (manifest !== undefined) entries.push(await objects.entry(dataset, key, manifest));
  }
  const last = sorted.length > limit ? sorted[limit - 1] : undefined;
  return { objects: entries, ...(last === undefined ? {} : { next: last }) };
}

async function read(
  objects: Objects,
  dataset: string,
  { key, digest, offset }: Extract<ObjectOperation, { verb: 'read' }>,
): Promise<ObjectAnswer> {
  const open = await objects.read(dataset, key, digest);
  try {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of open.from(offset)) {
      const room = LIMITS.objectPieceBytes - bytes;
      parts.push(part.subarray(0, room));
      bytes += Math.min(part.length, room);
      if (bytes === LIMITS.objectPieceBytes) break;
    }
    const object = await objects.entry(dataset, key, open.manifest);
    return { object, bytes: Buffer.concat(parts).toString('base64') };
  } finally {
    open.end();
  }
}

async function present(objects: Objects, dataset: string, key: string): Promise<ObjectEntry> {
  const manifest = objects.newest(dataset, key);
  if (manifest !== undefined) return await objects.entry(dataset, key, manifest);
  const shown = dataset.replace('.', '/');
  throw new Refusal('not-found', `${shown} has no key ${key}`, {
    hint: `"skerry data ls ${shown}" lists its keys`,
  });
}

/** Uploads into one dataset are no uploads into another. */
function idOf(dataset: string, { upload }: { upload: string }): string {
  return `${dataset}.${upload}`;
}
