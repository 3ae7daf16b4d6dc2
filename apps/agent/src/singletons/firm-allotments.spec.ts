import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { SITE_BUCKETS, type Allotment } from '@skerry/contracts';
import { SERVER_MEMORY } from '@skerry/domain';
import { AllotmentBook, allotmentBucket } from '../members/allotment-book.js';
import { QUIET } from '../site-under-test.suite.js';
import { FirmAllotments } from './firm-allotments.js';

const KEY = 'shop.owner';

describe('a singleton that a node was given', () => {
  let folder: string;
  let server: MemoryServer;
  let bus: MemoryBus;
  let book: AllotmentBook;
  let firm: FirmAllotments;
  let answers: boolean[];

  const given = (node: string, moves: number): Allotment => ({
    kind: 'Allotment',
    project: 'shop',
    name: 'owner',
    version: { term: 1, generation: 1, revision: 1 },
    slots: [node],
    ...(node === '' ? { leaving: { '0': 'a' } } : {}),
    ...(moves === 0 ? {} : { moves }),
    epoch: 1,
  });
  const say = async (allotment: Allotment) => {
    await allotmentBucket(bus).set(KEY, allotment);
    await jest.advanceTimersByTimeAsync(1);
  };
  /** The server ends and comes back without what it stored within the last `losingMs`. */
  const restart = async (losingMs: number) => {
    bus.cut();
    server.rewind(losingMs);
    await jest.advanceTimersByTimeAsync(100);
    bus.heal();
    await jest.advanceTimersByTimeAsync(100);
  };
  const pass = async (ms: number) => await jest.advanceTimersByTimeAsync(ms);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-firm-'));
    book = await AllotmentBook.open(folder, QUIET);
    jest.useFakeTimers();
    server = new MemoryServer(undefined, { unsyncedMs: SERVER_MEMORY.forgetsMs });
    bus = new MemoryBus(server);
    await bus.ensureBucket(SITE_BUCKETS.allotments);
    answers = [];
    firm = new FirmAllotments(book, QUIET, (key) => answers.push(firm.mayBegin(key)));
    book.onChange((key) => firm.heard(key));
    await book.follow(bus);
    firm.use(bus);
  });
  afterEach(async () => {
    firm.close();
    jest.useRealTimers();
    await book.close();
    await bus.close();
    await rm(folder, { recursive: true });
  });

  it('begins once the server says so after longer than it can forget, and not before', async () => {
    await say(given('b', 1));
    expect(firm.mayBegin(KEY)).toBe(false);
    await pass(SERVER_MEMORY.forgetsMs);
    expect(firm.mayBegin(KEY)).toBe(false);
    await pass(SERVER_MEMORY.firmAfterMs);
    expect(answers).toEqual([true]);
    // Another version of the same owner needs no second answer, another owner does.
    await say({ ...given('b', 1), version: { term: 1, generation: 2, revision: 1 } });
    expect(firm.mayBegin(KEY)).toBe(true);
    await say(given('', 1));
    await say(given('b', 2));
    expect(firm.mayBegin(KEY)).toBe(false);
  });

  it('does not begin when the server has lost that it was given', async () => {
    await say(given('a', 0));
    await pass(5_000);
    await say(given('', 0));
    await say(given('b', 1));
    expect(firm.mayBegin(KEY)).toBe(false);
    await pass(SERVER_MEMORY.forgetsMs - 10);
    await restart(SERVER_MEMORY.forgetsMs);
    await pass(10_000);
    expect(firm.mayBegin(KEY)).toBe(false);
    // Here everything of it is lost, and it is the one before that may begin anew.
    expect(book.get(KEY)?.slots).toEqual(['a']);
  });

  it('is still given to it after the server has ended, once it could begin', async () => {
    await say(given('', 0));
    await say(given('b', 1));
    firm.mayBegin(KEY);
    await pass(SERVER_MEMORY.firmAfterMs + 1);
    expect(answers).toEqual([true]);
    await restart(SERVER_MEMORY.forgetsMs);
    expect(book.get(KEY)?.slots).toEqual(['b']);
    expect(firm.mayBegin(KEY)).toBe(true);
  });
});
