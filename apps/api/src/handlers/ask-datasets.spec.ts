import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { datasetSchema, exampleSite, HUB, type DatasetOperation } from '@skerry/contracts';
import { z } from 'zod';
import { DatasetsStore } from '../stores/datasets.store.js';
import { FleetStore } from '../stores/fleet.store.js';
import { AskCopies } from './ask-copies.js';
import { AskDatasets } from './ask-datasets.js';

const AT = '2026-05-01T12:00:00.000Z';
const ACCOUNT = `A${'B'.repeat(55)}`;
const LEDGER = { project: 'shop', name: 'ledger' };
const CONFLICTS: DatasetOperation = { verb: 'list', ...LEDGER, limit: 9, conflicting: true };

/** Site `s1` in the jurisdiction `eu`, where no copy is chosen, and which answers that it has nothing. */
async function asked(operation: DatasetOperation, residency: object = {}) {
  const bus = new MemoryBus(new MemoryServer());
  const [fleet, datasets] = [new FleetStore(), new DatasetsStore()];
  const change = (key: string, value: unknown) =>
    ({ kind: 'put', key, value, revision: 1, headers: {}, at: 0 }) as const;
  fleet.takeSite(change('s1', exampleSite('s1', { account: ACCOUNT, jurisdictions: ['eu'] })));
  const dataset = datasetSchema.parse({
    kind: 'Dataset',
    ...LEDGER,
    labels: {},
    generation: 1,
    incarnation: 1,
    spec: {
      type: 'keyvalue',
      conflicts: 'single-writer',
      home: { with: 'keeper' },
      copies: { at: 'with-workloads' },
      residency,
    },
    specDigest: `sha256:${'0'.repeat(64)}`,
    removed: false,
    createdAt: AT,
    updatedAt: AT,
    requestId: 'request-1',
    commandSequence: 1,
  });
  datasets.take(change('shop.ledger', dataset));
  bus.listen(HUB.request(ACCOUNT, 'dataset'), (message) => {
    const { id } = z.object({ id: z.string() }).parse(message.json());
    bus.say(HUB.answer(ACCOUNT, id), { ok: true, answer: { entries: [] } });
  });
  try {
    return await new AskDatasets(new AskCopies(bus, fleet, datasets), datasets).ask(
      operation,
      's1',
      'request-2',
    );
  } finally {
    await bus.close();
  }
}

describe('a site that has given its copy up', () => {
  it('is asked for what it had set aside, and for nothing else', async () => {
    expect(await asked(CONFLICTS)).toEqual({ entries: [] });
    await expect(asked({ verb: 'list', ...LEDGER, limit: 9 })).rejects.toThrow(
      'no copy of shop/ledger at s1',
    );
  });

  it('is asked for nothing where residency forbids a copy', async () => {
    await expect(asked(CONFLICTS, { stay: ['us'] })).rejects.toThrow('residency');
  });
});
