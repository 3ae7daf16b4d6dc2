import { describe, expect, it } from '@jest/globals';
import type { ChunkRef, Manifest, RecordState } from '@skerry/contracts';
import { NamedLists } from './index.js';

const list = (name: string): ChunkRef => ({ digest: name.repeat(64), bytes: 36 });
const [A, B] = [list('a'), list('b')];
const HOW = { ttlMs: undefined, nowMs: 1_000 };
const newest = (at: number, value?: string): RecordState => ({
  rule: 'newest',
  at: [at, 0],
  by: `s.${at}`,
  ...(value === undefined ? {} : { value }),
});
const manifest = (named: ChunkRef): string =>
  JSON.stringify({
    size: 1,
    digest: `sha256:${'0'.repeat(64)}`,
    contentType: 'x',
    chunks: 1,
    lists: [named],
  } satisfies Manifest);
const clear = (at: number, named: ChunkRef) => ({ key: 'k', state: newest(at, manifest(named)) });
const sealed = (at: number, lists?: ChunkRef[]) => ({
  key: 'k',
  state: newest(at),
  sealed: { key: 'f'.repeat(32), box: 'box', ...(lists && { lists }) },
});
const named = (records: readonly Parameters<NamedLists['add']>[0][], how: object = {}) => {
  const all = new NamedLists();
  for (const record of records) all.add(record);
  return all.lists({ ...HOW, ...how });
};

describe('the chunks that the hub keeps', () => {
  it.each([
    { of: 'in clear', old: clear(1, A), now: clear(2, B) },
    { of: 'sealed', old: sealed(1, [A]), now: sealed(2, [B]) },
  ])('are those of the object that counts, $of, in whatever order it is heard', ({ old, now }) => {
    expect(named([old, now])).toEqual([B]);
    expect(named([now, old])).toEqual([B]);
    expect(named([now, { ...old, key: 'other' }])).toEqual([B, A]);
  });

  it('are none of what was deleted or has run out', () => {
    expect(named([clear(1, A), { key: 'k', state: newest(2) }])).toEqual([]);
    expect(named([sealed(1, [A]), sealed(2)])).toEqual([]);
    expect(named([sealed(1, [A])], { ttlMs: 10 })).toEqual([]);
    expect(named([sealed(995, [A])], { ttlMs: 10 })).toEqual([A]);
    expect(named([{ key: 'k', state: newest(1, 'no manifest') }])).toEqual([]);
  });
});
