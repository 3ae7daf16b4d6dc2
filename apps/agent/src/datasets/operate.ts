import { setImmediate } from 'node:timers/promises';
import {
  LIMITS,
  Refusal,
  workloadKey,
  type CopyState,
  type DatasetAnswer,
  type DatasetEntry,
  type DatasetOperation,
} from '@skerry/contracts';
import { digestRangeOf, type Seen, type Shown, type Write } from '@skerry/domain';
import { z } from 'zod';
import type { Copies, Kept } from './copies.js';
import type { FirstKeys } from './copy-keys.js';
import type { ShownElsewhere } from './elsewhere.js';

/** Bytes of a page of a list. */
const PAGE_BYTES = 512 * 1024;
const contextSchema = z.record(z.string().max(100), z.number().int().min(1));

/** Does what is asked of a copy at this node. Throws a `Refusal`: `not-found` for a dataset or key that is not here. */
export async function operate(copies: Copies, operation: DatasetOperation): Promise<DatasetAnswer> {
  const key = workloadKey(operation.project, operation.name);
  const isOfAside = operation.verb === 'list' && operation.conflicting === true;
  const kept = isOfAside ? copies.kept(key) : copies.get(key);
  if (kept === undefined) throw noCopy(operation, copies.site);
  switch (operation.verb) {
    case 'list':
      return list(kept, operation);
    case 'get':
      return { entry: present(kept, operation.key) };
    case 'watch':
      return await watch(kept, operation);
    case 'state':
      return { state: stateOf(copies, kept, operation.ranges === true) };
    case 'put':
    case 'count':
    case 'change':
    case 'delete':
      refuseValue(kept, operation);
      await kept.copy.write(operation.key, writeOf(operation, kept));
      copies.wrote(key);
      // First it is under way to other sites: an answer takes as long to send.
      await setImmediate();
      return { entry: entryOf(kept, operation.key) ?? { key: operation.key } };
    default:
      return operation satisfies never;
  }
}

/** There is no copy of it at this site. */
export function noCopy({ project, name }: { project: string; name: string }, site: string): Refusal {
  return new Refusal('not-found', `no copy of ${project}/${name} at ${site}`, {
    hint: `"skerry data where ${project}/${name}" says where there are copies, and why not here`,
  });
}

function list(kept: Kept, asked: Extract<DatasetOperation, { verb: 'list' }>): DatasetAnswer {
  const { prefix = '', range, limit, conflicting } = asked;
  if (conflicting === true && kept.copy.rule.holder !== undefined) return setAside(kept, asked);
  const accepts = (key: string) =>
    key.startsWith(prefix) && (range === undefined || digestRangeOf(key) === range);
  const entries: DatasetEntry[] = [];
  let bytes = 0;
  let { after = '' } = asked;
  for (;;) {
    const keys = firstAfter(kept, { after, limit: limit + 1, accepts });
    for (const key of keys) {
      const entry = conflicting === true ? conflictOf(kept, key) : entryOf(kept, key);
      const last = entries.at(-1);
      after = key;
      if (entry === undefined) continue;
      bytes += Buffer.byteLength(JSON.stringify(entry));
      if (last !== undefined && (entries.length === limit || bytes > PAGE_BYTES))
        return { entries, next: last.key };
      entries.push(entry);
    }
    // Deletions show nothing: there may be more behind them.
    if (keys.length <= limit) return { entries };
  }
}

/** What was written here as a home that was cut off while another had begun: beside what the key holds. */
function setAside(
  kept: Kept,
  { prefix = '', after = '', limit }: Extract<DatasetOperation, { verb: 'list' }>,
) {
  const found = kept.copy.home.list().filter(([key]) => key.startsWith(prefix) && key > after);
  const entries = found.slice(0, limit).map(([key, { by, at, value }]): DatasetEntry => {
    const word = { site: by.split('.')[0] ?? by, at: new Date(at[0]).toISOString(), value };
    return { ...(entryOf(kept, key) ?? { key }), siblings: [word] };
  });
  const last = entries.at(-1);
  return found.length > entries.length && last !== undefined ? { entries, next: last.key } : { entries };
}

async function watch(
  kept: Kept,
  { since = kept.changes.now, waitMs }: Extract<DatasetOperation, { verb: 'watch' }>,
): Promise<DatasetAnswer> {
  if (kept.changes.after(since).keys.length === 0 && !kept.changes.after(since).lost)
    await kept.changes.next(waitMs);
  const { keys, lost } = kept.changes.after(since);
  const shown = keys.slice(-LIMITS.datasetKeysPerPage).map((key) => {
    const entry = entryOf(kept, key);
    return entry === undefined ? { key } : { key, entry };
  });
  const more = lost || shown.length < keys.length;
  return { changes: shown, since: kept.changes.now, ...(more ? { lost: true } : {}) };
}

function present(kept: Kept, key: string): DatasetEntry {
  const entry = entryOf(kept, key);
  if (entry !== undefined) return entry;
  const { project, name } = kept.copy.rule;
  throw new Refusal('not-found', `${project}/${name} has no key ${key}`, {
    hint: `"skerry data ls ${project}/${name}" lists its keys`,
  });
}

function entryOf(kept: Kept, key: string): DatasetEntry | undefined {
  const shown = kept.copy.show(key);
  const { area, ttlMs } = kept.copy.rule;
  if (area === undefined) return shown && { key, ...told(shown) };
  const elsewhere = kept.copy.elsewhere.show(key, { ttlMs, nowMs: Date.now() }).map(toldOf);
  if (shown === undefined && elsewhere.length === 0) return undefined;
  return {
    key,
    area,
    ...(shown === undefined ? {} : told(shown)),
    ...(elsewhere.length === 0 ? {} : { elsewhere }),
  };
}

/** The first keys in their order after one, of what is held and of what is known of other areas. */
function firstAfter({ copy }: Kept, asked: FirstKeys): string[] {
  const own = copy.held.firstAfter(asked);
  const others = copy.elsewhere.firstAfter(asked);
  if (others.length === 0) return own;
  return [...new Set([...own, ...others])].toSorted((a, b) => (a < b ? -1 : 1)).slice(0, asked.limit);
}

/** Without a context: nobody here writes over it. */
function toldOf({ area, shown: { value, values, at } }: ShownElsewhere) {
  return {
    area,
    ...(value === undefined ? {} : { value }),
    ...(values === undefined ? {} : { values }),
    ...(at === undefined ? {} : { at: new Date(at[0]).toISOString() }),
  };
}

/** A key with several values, and who wrote each; undefined for any other. */
function conflictOf(kept: Kept, key: string): DatasetEntry | undefined {
  const entry = entryOf(kept, key);
  if (entry?.values === undefined || entry.values.length < 2) return undefined;
  const siblings = kept.copy.held.siblings(key).map(({ by, at, value }) => ({
    site: by.split('.')[0] ?? by,
    at: new Date(at[0]).toISOString(),
    value,
  }));
  return { ...entry, siblings };
}

function stateOf(copies: Copies, { copy }: Kept, withRanges: boolean): CopyState {
  const ranges = withRanges ? { ranges: copy.held.ranges() } : {};
  return { site: copies.site, node: copies.node, ...copy.state(), ...ranges };
}

function told({ at, context, ...rest }: Shown): Omit<DatasetEntry, 'key'> {
  return {
    ...rest,
    ...(at === undefined ? {} : { at: new Date(at[0]).toISOString() }),
    ...(context === undefined ? {} : { context: Buffer.from(JSON.stringify(context)).toString('base64url') }),
  };
}

/** Values of a dataset of objects are manifests, which nobody writes by hand. */
function refuseValue({ copy }: Kept, { verb, key }: { verb: string; key: string }): void {
  const { objects, project, name } = copy.rule;
  if (objects === undefined || verb === 'delete') return;
  throw new Refusal('invalid', `${project}/${name} holds objects`, {
    hint: `write a file: "skerry data put ${project}/${name} ${key} --file PATH"`,
  });
}

function writeOf(
  operation: Extract<DatasetOperation, { verb: 'put' | 'count' | 'change' | 'delete' }>,
  kept: Kept,
): Write {
  switch (operation.verb) {
    case 'put': {
      const bytes = Buffer.byteLength(operation.value);
      const { valueBytes } = kept.copy.rule.limits;
      if (bytes <= valueBytes)
        return { verb: 'put', value: operation.value, context: seenIn(operation.context) };
      throw new Refusal('too-large', `a value of ${bytes} bytes`, {
        hint: `values of this dataset have at most ${valueBytes} bytes (limits.valueBytes)`,
      });
    }
    case 'delete':
      return { verb: 'delete', context: seenIn(operation.context) };
    case 'count':
      return { verb: 'count', by: operation.by };
    case 'change':
      return { verb: 'change', add: operation.add ?? [], remove: operation.remove ?? [] };
    default:
      return operation satisfies never;
  }
}

function seenIn(context: string | undefined): Seen | undefined {
  if (context === undefined) return undefined;
  try {
    return contextSchema.parse(JSON.parse(Buffer.from(context, 'base64url').toString('utf8')));
  } catch {
    throw new Refusal('malformed', 'the context is none', {
      hint: 'give back the context as it came with the value',
    });
  }
}
