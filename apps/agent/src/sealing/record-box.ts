import { createHmac } from 'node:crypto';
import {
  manifestSchema,
  recordStateSchema,
  type ChunkRef,
  type DatasetRecord,
  type OwnRecord,
  type RecordState,
} from '@skerry/contracts';
import { bareState, isSealedAs, stateText } from '@skerry/domain';
import { openText, sealText } from './box.js';
import type { SealedRule } from './ring.js';

const PURPOSE = 'skerry-record-v1';

/** Which key of which dataset. */
export interface KeyPlace {
  project: string;
  name: string;
  incarnation: number;
  area: string;
  id: string;
}

/** A key of a dataset that this node has. */
export interface HeldKey extends KeyPlace {
  secret: Buffer;
}

/**
 * A record of this node as it may lie anywhere: its whole state is sealed (AES-256-GCM), and bound to its dataset, key, store, write
 * and what is said of it in clear, so that it counts in no other place and for nothing else. Of an object the lists of its chunks
 * are said beside it, which are of sealed chunks: the hub keeps what they name.
 */
export function sealRecord(
  { key, write, state }: OwnRecord,
  { origin, rule, by }: { origin: string; rule: Pick<SealedRule, 'objects'>; by: HeldKey },
): OwnRecord {
  const bare = bareState(state);
  const lists = rule.objects === undefined ? undefined : listsIn(state);
  const bound = boundTo(by, { origin, key, write, state: bare }, lists);
  const box = sealText(JSON.stringify(state), { secret: by.secret, purpose: PURPOSE, bound });
  return { key, write, state: bare, sealed: { key: by.id, box, ...(lists && { lists }) } };
}

/** The whole state of a record that came; undefined when it is not what somebody with the key sealed for this place. */
export function openRecord(record: DatasetRecord, by: HeldKey): RecordState | undefined {
  const bound = boundTo(by, record, record.sealed?.lists);
  const text = openText(record.sealed?.box ?? '', { secret: by.secret, purpose: PURPOSE, bound });
  if (text === undefined) return undefined;
  const parsed = recordStateSchema.safeParse(parsedJson(text));
  return parsed.success && isSealedAs(record.state, parsed.data) ? parsed.data : undefined;
}

/** Tells whether copies are the same without telling what is in them to who has not the key. */
export function keyedDigest(digest: string, { secret }: HeldKey): string {
  return createHmac('sha256', secret).update('skerry-digest-v1').update(digest).digest('hex').slice(0, 16);
}

function boundTo(
  { project, name, incarnation, area, id }: KeyPlace,
  { origin, key, write, state }: Pick<DatasetRecord, 'origin' | 'key' | 'write' | 'state'>,
  lists?: readonly ChunkRef[],
): string {
  const place = [PURPOSE, project, name, incarnation, area, id, origin, key, write];
  const named = lists?.map(({ digest, bytes }) => `${digest} ${bytes}`);
  return JSON.stringify([...place, stateText(state), ...(named === undefined ? [] : [named])]);
}

/** The lists of an object whose chunks are sealed. */
function listsIn(state: RecordState): ChunkRef[] | undefined {
  if (state.rule !== 'newest' || state.value === undefined) return undefined;
  const { data: manifest } = manifestSchema.safeParse(parsedJson(state.value));
  return manifest?.sealedWith === undefined ? undefined : manifest.lists;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
