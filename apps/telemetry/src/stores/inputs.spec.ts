import type { StoredMessage } from '@skerry/bus';
import { EPOCH_KEY, type Observed } from '@skerry/contracts';
import { InputsStore } from './inputs.store.js';

function message(report: Partial<Observed>): StoredMessage {
  const body = {
    kind: 'Observed',
    site: 'a',
    project: 'shop',
    name: 'web',
    version: { term: 1, generation: 1, revision: 1 },
    state: 'accepted',
    wanted: 0,
    replicas: [],
    reportedAt: '2026-01-01T00:00:00.000Z',
    report: 1,
    ...report,
  };
  return {
    subject: 'observed.a.workload.shop.web',
    data: new Uint8Array(),
    headers: {},
    stream: 'OBSERVED',
    sequence: 1,
    storedAt: 0,
    deliveries: 1,
    pending: 0,
    json: () => body,
  };
}

describe('what statuses are folded from', () => {
  it('tells which workload a report matters to', () => {
    expect(new InputsStore().applyReport(message({ report: 2 }))).toEqual(['shop.web']);
  });

  it('ignores a report that is older than the one known', () => {
    const inputs = new InputsStore();
    inputs.applyReport(message({ report: 2 }));
    expect(inputs.applyReport(message({ report: 1 }))).toEqual([]);
  });

  it('ignores a report of another shape', () => {
    const bad = { ...message({}), json: () => ({ kind: 'Observed' }) };
    expect(new InputsStore().applyReport(bad)).toEqual([]);
  });

  it('takes the scheduler’s epoch for no placement', () => {
    const epoch = {
      kind: 'put',
      key: EPOCH_KEY,
      value: { kind: 'Epoch', instance: 'one', at: '2026-01-02T03:04:05.678Z' },
      revision: 1,
      headers: {},
      at: 0,
    } as const;
    expect(new InputsStore().applyPlacement(epoch)).toEqual([]);
  });
});
