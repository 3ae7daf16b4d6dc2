import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { logRuleSchema, SITE, type EntryPage, type LogItem } from '@skerry/contracts';
import { EntryLog } from './entry-log.js';
import { EntrySync } from './entry-sync.js';

const ignore = () => undefined;
const HEAT = { project: 'plant', name: 'heat', incarnation: 1 };
const RULE = logRuleSchema.parse({
  ...HEAT,
  generation: 1,
  flow: 'mesh',
  bytes: 64 * 1_024,
  valueBytes: 1_024,
});
const theirs = (number: number): LogItem => ({
  origin: 'jp.00000000000000aa',
  number,
  at: 1_000,
  value: `theirs ${number}`,
});

describe('a log and the hub', () => {
  let dir: string;
  let log: EntryLog;
  let bus: MemoryBus;
  let sync: EntrySync;
  let greeted = 0;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-entry-sync-'));
    greeted = 0;
    const at = { folder: join(dir, 'plant.heat.log'), site: 'eu', store: '00000000000000bb', onMore: ignore };
    const opened = await EntryLog.open(at, RULE);
    if (opened === undefined) throw new Error('not opened');
    log = opened;
    bus = new MemoryBus(new MemoryServer());
    const quiet = { debug: ignore, info: ignore, warn: ignore, error: ignore };
    sync = new EntrySync(bus, log, { silent: () => false, greet: () => (greeted += 1), log: quiet });
  });
  afterEach(async () => {
    sync.stop();
    await bus.close();
    await log.close();
    await rm(dir, { recursive: true });
  });

  async function until(holds: () => boolean): Promise<void> {
    const deadline = Date.now() + 5_000;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error('not so in time');
      await new Promise((go) => setTimeout(go, 5));
    }
  }

  /** A hub with these entries, each at the place of its number. */
  function hubWith(items: LogItem[], streamEpoch: number): void {
    bus.respond(SITE.entryPull, async (m): Promise<EntryPage> => {
      const { after = 0 } = Object(m.json());
      const upTo = items.length;
      return await Promise.resolve({ ok: true, items: items.slice(after), upTo, more: false, streamEpoch });
    });
  }

  it('takes nothing of another epoch of the stream before the hub has said how it stands there, and reads again what that has lost', async () => {
    await sync.heardWhere({ head: 0, stored: 0, streamEpoch: 1 });
    sync.hear({ ...HEAT, items: [theirs(1), theirs(3)], after: 0, upTo: 2, streamEpoch: 1 });
    await until(() => log.position === 2);
    // It has lost the second of them, and holds something else there and after it.
    const now = [theirs(1), { ...theirs(1), origin: 'us.00000000000000cc' }, theirs(3), theirs(4)];
    hubWith(now, 7);
    sync.hear({ ...HEAT, items: now.slice(3), after: 3, upTo: 4, streamEpoch: 7 });
    expect([greeted, log.position]).toEqual([1, 2]);
    await sync.heardWhere({ head: 4, stored: 0, again: true, streamEpoch: 7 });
    await until(() => log.position === 4);
    const { items } = await log.tail({ verb: 'tail', ...HEAT, limit: 10, waitMs: 0 });
    expect(items.map((item) => ('gap' in item ? 'gap' : `${item.origin} ${item.number}`))).toEqual([
      'jp.00000000000000aa 1',
      'gap',
      'jp.00000000000000aa 3',
      'us.00000000000000cc 1',
      'jp.00000000000000aa 4',
    ]);
  });
});
