import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { BUCKETS, type DataKey } from '@skerry/contracts';
import { WrappedKeysStore } from './wrapped-keys.store.js';

const CART = { project: 'shop', name: 'cart' };
const keyOf = (incarnation: number): DataKey => ({
  kind: 'DataKey',
  ...CART,
  incarnation,
  id: String(incarnation).padStart(32, '0'),
  area: '*',
  madeBy: 's1',
  madeAt: '2026-11-22T00:00:00.000Z',
  wraps: [],
});

describe('keys of a dataset that was removed and made again', () => {
  it.each([
    { heard: 'the removal of the first', ref: { incarnation: 1, removed: true }, left: [3] },
    { heard: 'that it was made again', ref: { incarnation: 3, removed: false }, left: [3] },
    { heard: 'the removal of the second', ref: { incarnation: 3, removed: true }, left: [] },
  ])('that are still needed stay when $heard is heard, however late', async ({ ref, left }) => {
    const bus = new MemoryBus(new MemoryServer());
    await bus.ensureBucket(BUCKETS.dataKeys);
    const store = new WrappedKeysStore(bus);
    await store.write(keyOf(1));
    await store.write(keyOf(3));
    await store.drop({ ...CART, ...ref });
    const kept = [1, 3].filter((incarnation) => store.of({ ...CART, incarnation }).length > 0);
    expect(kept).toEqual(left);
    await bus.close();
  });
});
