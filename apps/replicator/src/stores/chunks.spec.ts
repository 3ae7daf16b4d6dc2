import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { matches, MemoryBus, MemoryServer } from '@skerry/bus';
import { JETSTREAM_API, STREAMS } from '@skerry/contracts';
import { z } from 'zod';
import { ChunksStore } from './chunks.store.js';

const of = (incarnation: number, area?: string) => ({ project: 'shop', name: 'models', incarnation, area });
const BYTES = Buffer.from('a chunk');
const CHUNK = { digest: createHash('sha256').update(BYTES).digest('hex'), bytes: BYTES.length };

describe('chunks at the hub', () => {
  let bus: MemoryBus;
  let store: ChunksStore;

  beforeEach(async () => {
    const server = new MemoryServer();
    bus = new MemoryBus(server);
    await bus.ensureStream(STREAMS.CHUNKS);
    // As the server answers: the memory server has no API of its own.
    bus.listen(JETSTREAM_API.streamInfo(STREAMS.CHUNKS.name), (m) => {
      const filter = z.object({ subjects_filter: z.string() }).parse(m.json()).subjects_filter;
      const found = server.streams.get(STREAMS.CHUNKS.name)?.newestOfEach((s) => matches(filter, s)) ?? [];
      const subjects = Object.fromEntries(found.map(({ subject }) => [subject, 1]));
      m.reply?.({ total: found.length, state: { subjects } });
    });
    store = new ChunksStore(bus);
  });
  afterEach(async () => await bus.close());

  const thereAre = async (place: ReturnType<typeof of>) => (await new ChunksStore(bus).of(place)).size;

  it('of a dataset that was made again stay when it is heard late that the one before was removed', async () => {
    for (const incarnation of [1, 2, 3]) await store.put(of(incarnation), CHUNK, BYTES);
    await store.put(of(2, 'eu'), CHUNK, BYTES);
    await store.dropRemoved(of(2));
    expect(await Promise.all([1, 2, 3].map(async (n) => await thereAre(of(n))))).toEqual([0, 0, 1]);
    expect(await thereAre(of(2, 'eu'))).toBe(0);
    expect((await store.of(of(2))).size).toBe(0);
  });

  it('of one area are none of another, nor of no area', async () => {
    await store.put(of(1, 'eu'), CHUNK, BYTES);
    expect([await thereAre(of(1, 'eu')), await thereAre(of(1, 'us')), await thereAre(of(1))]).toEqual([
      1, 0, 0,
    ]);
    await store.put(of(1, 'us'), CHUNK, BYTES);
    await store.remove(of(1, 'eu'), CHUNK);
    expect([await thereAre(of(1, 'eu')), await thereAre(of(1, 'us'))]).toEqual([0, 1]);
  });
});
