import { beforeEach, describe, expect, it } from '@jest/globals';
import { exampleVersion, type Desired } from '@skerry/contracts';
import { DeliveredStore } from './delivered.store.js';

const KEY = 'shop.web';

function tombstone(site: string, revision: number): Desired {
  const version = exampleVersion(1, revision);
  const removedAt = '2026-11-22T00:00:00.000Z';
  return { kind: 'Tombstone', site, project: 'shop', name: 'web', version, removedAt, requestId: 'r1' };
}

describe('what lies in DL', () => {
  let delivered: DeliveredStore;
  const lies = () => [...delivered.ofWorkload(KEY)].map(([site, { sequence }]) => [site, sequence]);

  beforeEach(() => {
    delivered = new DeliveredStore();
  });

  it('is not what the stream tells of late and was deleted meanwhile', () => {
    delivered.wrote(tombstone('s1', 1), 5, 0);
    delivered.wrote(tombstone('s1', 2), 8, 5);
    delivered.forget(KEY, 's1', 8);
    delivered.hear(tombstone('s1', 1), 5);
    delivered.hear(tombstone('s1', 2), 8);
    expect(lies()).toEqual([]);
  });

  it('is what was written after the deletion, whichever of both is heard first', () => {
    delivered.wrote(tombstone('s1', 1), 5, 0);
    delivered.forget(KEY, 's1', 5);
    delivered.wrote(tombstone('s1', 2), 9, 5);
    delivered.hear(tombstone('s1', 1), 5);
    expect(lies()).toEqual([['s1', 9]]);
    delivered.hear(tombstone('s1', 2), 9);
    expect(lies()).toEqual([['s1', 9]]);
  });

  it('is what another instance writes after the deletion, also when the deleted message is never told of', () => {
    delivered.wrote(tombstone('s1', 1), 5, 0);
    delivered.forget(KEY, 's1', 5);
    delivered.hear(tombstone('s2', 1), 6);
    delivered.hear(tombstone('s1', 3), 7);
    expect(lies()).toEqual([
      ['s2', 6],
      ['s1', 7],
    ]);
  });
});
