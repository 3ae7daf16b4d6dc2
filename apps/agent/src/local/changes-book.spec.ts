import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import type { CommandOutcome, Proposal } from '@skerry/contracts';
import { QUIET } from '../site-under-test.suite.js';
import { ChangesBook } from './changes-book.js';

const AT = '2026-01-01T00:00:00.000Z';
const SECOND_MS = 1_000;

const proposal = (id: string): Proposal => ({
  kind: 'Proposal',
  site: 's1',
  request: { id, site: 's1', tokenId: 'a1b2c3d4', at: AT, body: '{}', signature: 'A'.repeat(86) },
  verb: 'stop',
  by: { subject: 'ann', role: 'operator' },
  at: AT,
  over: [{ project: 'shop', name: 'web' }],
  state: 'open',
});
const outcome = (requestId: string): CommandOutcome => ({
  kind: 'Outcome',
  ok: true,
  requestId,
  verb: 'workload.stop',
  changes: [],
  decidedAt: AT,
});

describe('changes that lie at a server which has lost its last second', () => {
  let server: MemoryServer;
  let bus: MemoryBus;
  let book: ChangesBook;
  const open = async () =>
    await ChangesBook.open(bus, {
      onOverride: () => Promise.resolve(true),
      onGone: () => Promise.resolve(),
      onDisk: () => [],
      onProposals: () => undefined,
      log: QUIET,
    });
  const pass = async (ms: number) => await jest.advanceTimersByTimeAsync(ms);
  const accept = async (id: string) => await book.decide(id, { state: 'accepted', outcome: outcome(id) });
  const ids = () => book.open().map(({ request }) => request.id);

  beforeEach(async () => {
    jest.useFakeTimers();
    server = new MemoryServer(undefined, { unsyncedMs: SECOND_MS });
    bus = new MemoryBus(server);
    book = await open();
  });
  afterEach(async () => {
    jest.useRealTimers();
    await book.close();
    await bus.close();
  });

  it('are as it has them: what was decided is open again, and can be decided again', async () => {
    await book.add(proposal('request-1'), []);
    await pass(2 * SECOND_MS);
    await accept('request-1');
    await book.add(proposal('request-2'), []);
    await pass(SECOND_MS / 2);
    bus.cut();
    server.rewind(SECOND_MS);
    bus.heal();
    await pass(SECOND_MS);
    expect(ids()).toEqual(['request-1']);
    await accept('request-1');
    await book.add(proposal('request-3'), []);
    await pass(1);
    // An agent that begins anew finds the same.
    const other = await open();
    expect([ids(), other.open().map(({ request }) => request.id)]).toEqual([['request-3'], ['request-3']]);
    await other.close();
  });
});
