import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import {
  compareVersions,
  digestRequestSchema,
  proposalRequestSchema,
  Refusal,
  SITE,
  workloadKey,
  type CommandOutcome,
  type Desired,
  type DigestRequest,
  type Override,
  type Proposal,
  type ProposalAnswer,
  type ProposalRequest,
} from '@skerry/contracts';
import { answerDigests, localDigestSubject } from '../control/local-digest.js';
import { DesiredStore } from '../desired/desired-store.js';
import { DigestExchange } from '../desired/digest.js';
import { assignment, eventually, QUIET, tombstone } from '../site-under-test.suite.js';
import { BegunHere } from './begun-here.js';
import { ChangesBook } from './changes-book.js';
import type { Entry } from './journal.js';
import { Proposals } from './proposals.js';

const SILENT = { ...QUIET, warn: () => undefined, error: () => undefined };
const KEY = workloadKey('shop', 'web');
type Verb = Override['verb'];

interface Change {
  verb?: Verb;
  atMs?: number;
  over?: Override['base'];
}

/** A change as `Operations` would keep it. */
function changeOf(id: string, { verb = 'stop', atMs = 0, over }: Change = {}): [Proposal, Override[]] {
  const at = new Date(Date.now() + atMs).toISOString();
  const base = over === undefined ? {} : { base: over };
  const object = assignment('web', { replicas: verb === 'stop' ? 0 : 2, version: over ?? { revision: 0 } });
  const request = {
    id,
    site: 's1',
    tokenId: 'a1b2c3d4',
    at,
    body: '{"verb":"x"}',
    signature: 'A'.repeat(86),
  };
  const ref = { project: 'shop', name: 'web', ...base };
  return [
    {
      kind: 'Proposal',
      site: 's1',
      request,
      verb,
      by: { subject: 'ann', role: 'operator' },
      at,
      over: [ref],
      state: 'open',
    },
    [{ kind: 'Override', site: 's1', ...ref, proposal: id, verb, by: 'ann', at, object }],
  ];
}

const OVER = { term: 1, generation: 3, revision: 2 };

describe('changes of a site on their way to the hub', () => {
  let bus: MemoryBus;
  let dir: string;
  let store: DesiredStore;
  let book: ChangesBook;
  let proposals: Proposals;
  let sent: ProposalRequest[];
  let entries: Entry[];
  let decide: (request: ProposalRequest) => ProposalAnswer;

  const outcome = (request: ProposalRequest, change?: 'unchanged' | 'updated'): CommandOutcome => ({
    kind: 'Outcome',
    ok: true,
    requestId: request.request.id,
    verb: 'x',
    changes:
      change === undefined ? [] : [{ noun: 'workload', project: 'shop', name: 'web', change, generation: 4 }],
    decidedAt: new Date().toISOString(),
  });
  const accept = (request: ProposalRequest): ProposalAnswer => ({
    state: 'decided',
    outcome: outcome(request, 'updated'),
  });

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-proposals-'));
    bus = new MemoryBus(new MemoryServer());
    store = await DesiredStore.open({ desired: join(dir, 'd'), quarantine: join(dir, 'q') }, SILENT);
    book = await ChangesBook.open(bus, {
      onOverride: async (key, change) => await store.override(key, change),
      onGone: async (key) => void (await store.override(key, undefined)),
      onDisk: () => [],
      onProposals: () => undefined,
      log: SILENT,
    });
    [sent, entries, decide] = [[], [], accept];
    bus.respond(SITE.proposal, (m) => {
      const request = proposalRequestSchema.parse(m.json());
      sent.push(request);
      return decide(request);
    });
    proposals = new Proposals({
      site: 's1',
      bus,
      book,
      journal: { state: (entry: Entry) => void entries.push(entry) },
      acting: () => true,
      isAsWanted: () => true,
      onDecided: () => undefined,
      log: SILENT,
    });
  });
  afterEach(async () => {
    proposals.close();
    await book.close();
    await store.settled();
    await bus.close();
    await rm(dir, { recursive: true, force: true });
  });

  const make = async (id: string, change: Change = {}) => await book.add(...changeOf(id, change));
  const allDecided = async () => await eventually('all are decided', () => book.open().length === 0);
  const replicas = () => {
    const object = store.get(KEY)?.object;
    return object?.kind === 'Assignment' ? object.replicas : undefined;
  };

  it('are sent in the order in which they were made there, whatever the clocks of those who made them say', async () => {
    await make('request-1', { atMs: 180_000, over: OVER });
    await make('request-2', { verb: 'start', over: OVER });
    await make('request-3', { atMs: 60_000, over: OVER });
    proposals.kick();
    await allDecided();
    expect(sent.map((s) => s.request.id)).toEqual(['request-1', 'request-2', 'request-3']);
    expect(sent.map((s) => s.after)).toEqual([[], ['request-1'], ['request-1', 'request-2']]);
    expect(sent.map((s) => s.bases)).toEqual(Array.from({ length: 3 }, () => ({ [KEY]: 3 })));
  });

  it('are rejected when the hub will never take them, and hold up no later one', async () => {
    decide = (request) => {
      if (request.request.id === 'request-1') throw new Refusal('malformed', 'not a local change');
      return accept(request);
    };
    await make('request-1', { over: OVER });
    await make('request-2', { verb: 'start', over: OVER });
    proposals.kick();
    await allDecided();
    expect(entries.map((e) => [e.requestId, e.outcome, e.text])).toEqual([
      ['request-1', 'rejected', 'not a local change'],
      ['request-2', 'accepted', undefined],
    ]);
  });

  it('wait while the hub cannot take them now', async () => {
    let busy = true;
    decide = (request) => {
      if (busy) throw new Refusal('throttled', 'too many');
      return accept(request);
    };
    await make('request-1', { over: OVER });
    proposals.kick();
    await eventually('it was asked', () => sent.length > 0);
    expect(book.open()).toHaveLength(1);
    busy = false;
    proposals.kick();
    await allDecided();
    expect(entries.map((e) => e.outcome)).toEqual(['accepted']);
  });

  it('keep little of what was asked for once it is decided', async () => {
    await make('request-1', { over: OVER });
    const before = book.bytes;
    proposals.kick();
    await allDecided();
    expect(book.proposal('request-1')).toMatchObject({ state: 'accepted', request: { body: '{}' } });
    expect(book.bytes).toBeLessThan(before + 1_000);
  });

  it('stop what runs at other sites too here alone, whatever is placed here then, until it is started here or of another generation', async () => {
    await store.offer(assignment('web', { replicas: 2, version: OVER }));
    decide = (request) => ({ state: 'decided', outcome: outcome(request), alone: true });
    await make('request-1', { over: OVER });
    proposals.kick();
    await allDecided();
    expect(entries[0]).toMatchObject({
      outcome: 'accepted',
      text: expect.stringContaining('this site alone'),
    });
    await store.offer(assignment('web', { replicas: 5, version: { ...OVER, revision: 9 } }));
    expect(replicas()).toBe(0);
    expect(store.get(KEY)?.object).toMatchObject({ version: { revision: 9 } });
    await make('request-2', { verb: 'start', over: { ...OVER, revision: 9 } });
    proposals.kick();
    await eventually('what the hub wants runs here', () => replicas() === 5);
    expect(store.get(KEY)?.override).toBeUndefined();
    await make('request-3', { over: { ...OVER, revision: 9 } });
    proposals.kick();
    await allDecided();
    await store.offer(assignment('web', { replicas: 4, version: { ...OVER, generation: 4 } }));
    expect(replicas()).toBe(4);
  });

  it('end when the hub has it so already: nothing newer would ever end them', async () => {
    await store.offer(assignment('web', { replicas: 2, version: OVER }));
    decide = (request) => ({ state: 'decided', outcome: outcome(request, 'unchanged') });
    await make('request-1', { verb: 'apply', over: OVER });
    await eventually('it stands', () => store.get(KEY)?.override !== undefined);
    proposals.kick();
    await eventually('it stands no more', () => store.get(KEY)?.override === undefined);
    expect(replicas()).toBe(2);
  });

  describe('what was begun here', () => {
    let digests: DigestRequest[];
    let placed: Desired | undefined;
    const compare = () => {
      const exchange = new DigestExchange(bus, {
        site: 's1',
        subject: SITE.digest,
        store,
        lastSequence: () => 0,
        take: async (object) => void (await store.offer(object)),
        log: SILENT,
      });
      exchange.exchange().catch(() => undefined);
    };
    beforeEach(() => {
      [digests, placed] = [[], undefined];
      // As the replicator does: it sends what is newer than what the site names, and nothing of what the site does not name.
      bus.respond(SITE.digest, (m) => {
        const request = digestRequestSchema.parse(m.json());
        digests.push(request);
        const named = request.items.find((i) => i.name === 'web')?.version;
        const isNewer =
          named !== undefined && placed?.kind === 'Tombstone' && compareVersions(placed.version, named) > 0;
        return { objects: isNewer ? [placed] : [], unknown: [], more: false };
      });
    });

    it('goes when the hub placed it elsewhere', async () => {
      const begun = new BegunHere({ book, acting: () => true, compare, placedWithinMs: 0, log: SILENT });
      await make('request-1', { verb: 'apply' });
      await eventually('it runs here', () => replicas() === 2);
      expect(store.get(KEY)?.override?.base).toBeUndefined();
      placed = tombstone('web', { generation: 1, revision: 1 });
      proposals.kick();
      await allDecided();
      expect(sent.map((s) => s.unknown)).toEqual([[KEY]]);
      await eventually('it is gone', () => store.get(KEY)?.object.kind === 'Tombstone');
      expect(digests.flatMap((d) => d.items)).toContainEqual({
        project: 'shop',
        name: 'web',
        version: { term: 1, generation: 1, revision: 0 },
      });
      begun.close();
    });

    it('is named to nobody before the hub has accepted it, and goes from every node when it is refused', async () => {
      const second = await DesiredStore.open(
        { desired: join(dir, 'd2'), quarantine: join(dir, 'q2') },
        SILENT,
      );
      const answers = answerDigests(bus, store);
      const ask = async () =>
        await new DigestExchange(bus, {
          site: 's1',
          subject: localDigestSubject('n2'),
          store: second,
          lastSequence: () => 0,
          take: async (object) => void (await second.offer(object)),
          log: SILENT,
        }).exchange();
      await make('request-1', { verb: 'apply' });
      await eventually('it runs here', () => replicas() === 2);
      const [, overrides] = changeOf('request-1', { verb: 'apply' });
      for (const change of overrides) await second.override(KEY, change);
      await ask();
      expect(second.get(KEY)?.override?.base).toBeUndefined();
      await store.override(KEY, undefined);
      await second.override(KEY, undefined);
      await ask();
      expect([store, second].map((s) => s.get(KEY)?.object.kind)).toEqual(['Tombstone', 'Tombstone']);
      await answers.drain();
      await second.settled();
    });

    it('gives its place to a placement here', async () => {
      await make('request-1', { verb: 'apply' });
      await eventually('it runs here', () => replicas() === 2);
      await book.mark(KEY, { known: true });
      await store.offer(assignment('web', { replicas: 1, version: { generation: 1, revision: 1 } }));
      expect(store.get(KEY)).toMatchObject({ object: { replicas: 1 } });
      expect(store.get(KEY)?.override).toBeUndefined();
    });
  });
});
