import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import {
  copySchema,
  parse,
  pullRequestSchema,
  recordsRequestSchema,
  SITE,
  type PullAnswer,
  type RecordsAnswer,
} from '@skerry/contracts';
import { CopySync } from './copy-sync.js';
import { Copy } from './copy.js';

const STORE = '0123456789abcdef';
const THERE = 'jp.00000000000000aa';
const PAGE = 10;

const RULE = copySchema.parse({
  project: 'shop',
  name: 'cart',
  incarnation: 1,
  generation: 1,
  conflicts: 'newest',
  limits: { keys: 1_000, bytes: 100_000, valueBytes: 1_000 },
});

describe('a copy and the hub', () => {
  let dir: string;
  let copy: Copy;
  let bus: MemoryBus;
  let sync: CopySync;
  const said: string[] = [];
  let greeted = 0;
  const ignore = () => undefined;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-sync-'));
    said.length = 0;
    greeted = 0;
    const path = join(dir, 'shop.cart.copy');
    const opened = await Copy.open({ path, site: 'eu', store: STORE, onChange: ignore }, RULE);
    if (opened === undefined) throw new Error('not opened');
    copy = opened;
    bus = new MemoryBus(new MemoryServer());
    const log = { debug: ignore, info: ignore, error: ignore, warn: (text: string) => void said.push(text) };
    sync = new CopySync(bus, copy, {
      silent: () => false,
      greet: () => (greeted += 1),
      mayGoAhead: () => true,
      log,
    });
  });
  afterEach(async () => {
    sync.stop();
    await bus.close();
    await copy.close();
    await rm(dir, { recursive: true });
  });

  /** A hub that has so many records, a page at a time; answers how many pages were asked for at once at the most. */
  const hubWith = (records: number): { mostAtOnce: () => number } => {
    let [now, most] = [0, 0];
    bus.respond(SITE.pull, async (m) => {
      now += 1;
      most = Math.max(most, now);
      const request = parse(pullRequestSchema, m.json());
      if (!request.ok) throw new Error('no request');
      const { after } = request.value;
      await new Promise((later) => setImmediate(later));
      const upTo = Math.min(after + PAGE, records);
      const page = Array.from({ length: upTo - after }, (_, i) => recordOf(after + i + 1));
      now -= 1;
      return { ok: true, records: page, upTo, more: upTo < records } satisfies PullAnswer;
    });
    return { mostAtOnce: () => most };
  };
  const until = async (holds: () => boolean) => {
    const deadline = Date.now() + 10_000;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`at ${copy.cursor} with ${copy.state().keys} keys`);
      await new Promise((tick) => setTimeout(tick, 5));
    }
  };

  it('whose stream ends before what was read of it is read again as a whole: that is said, and one page is under way at a time', async () => {
    await copy.take([recordOf(1)], { after: 0, upTo: 1_000 });
    const hub = hubWith(95);
    await sync.heardWhere({ head: 95, stored: undefined, again: false });
    await until(() => copy.cursor === 95);
    expect(copy.state().keys).toBe(95);
    expect(hub.mostAtOnce()).toBe(1);
    expect(said).toEqual(['a copy is read again from its beginning']);
  });

  it('sends once more what the hub had and has lost, before anything that follows it', async () => {
    let has: number[] = [];
    bus.respond(SITE.records, async (m): Promise<RecordsAnswer> => {
      const { records, after = 0 } = recordsRequestSchema.parse(m.json());
      const stored = Math.max(0, ...has);
      if (after > stored)
        return await Promise.resolve({
          ok: false,
          code: 'unavailable',
          retryAfterMs: 0,
          reason: 'lost',
          stored,
        });
      has.push(...records.map(({ write }) => write));
      return { ok: true };
    });
    await copy.write('a', { verb: 'put', value: '1' });
    await sync.heardWhere({ head: 0, stored: 0, again: false });
    await until(() => copy.unsent === 0);
    has = [];
    await copy.write('b', { verb: 'put', value: '2' });
    sync.send();
    await until(() => copy.unsent === 0);
    expect(has).toEqual([1, 2]);
  });

  it('takes nothing of another epoch of the stream before the hub has said how it stands there', async () => {
    hubWith(3);
    await sync.heardWhere({ head: 3, stored: 0, again: false, streamEpoch: 1 });
    await until(() => copy.cursor === 3);
    const news = { project: 'shop', name: 'cart', incarnation: 1, after: 3, upTo: 4, streamEpoch: 2 };
    sync.hear({ ...news, records: [recordOf(4)] });
    expect(greeted).toBe(1);
    expect(copy.cursor).toBe(3);
    await sync.heardWhere({ head: 3, stored: 0, again: false, streamEpoch: 2 });
    sync.hear({ ...news, records: [recordOf(4)] });
    await until(() => copy.cursor === 4);
  });

  it('goes on reading where a page was not taken, until it is', async () => {
    hubWith(30);
    let refuse = true;
    const take = copy.take.bind(copy);
    // A disk that is full for a moment.
    copy.take = async (records, place) => {
      if (refuse) throw new Error('no space left on device');
      return await take(records, place);
    };
    sync.hear({
      project: 'shop',
      name: 'cart',
      incarnation: 1,
      after: 29,
      upTo: 30,
      records: [recordOf(30)],
    });
    await until(() => said.length > 0);
    refuse = false;
    await until(() => copy.cursor === 30);
    expect(copy.state().keys).toBe(30);
  });
});

function recordOf(n: number) {
  const state = { rule: 'newest' as const, at: [n, 0] as [number, number], by: THERE, value: `v${n}` };
  return { origin: THERE, key: `k${n}`, write: n, state };
}
