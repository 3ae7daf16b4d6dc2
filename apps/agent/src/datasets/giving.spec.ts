import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { copySchema, LIMITS, SITE, type Given, type OwnRecord } from '@skerry/contracts';
import { Giving } from './giving.js';

const STORE = '0123456789abcdef';
const OTHERS = {
  mark: '7.0123abcd',
  sites: [
    { site: 'us', account: 'AUS' },
    { site: 'jp', account: 'AJP' },
  ],
};
const RULE = copySchema.parse({
  project: 'shop',
  name: 'cart',
  incarnation: 1,
  generation: 1,
  conflicts: 'newest',
  limits: { keys: 100, bytes: 100_000, valueBytes: 1_000 },
});

const word = (site: string, { value = 'v', aheadMs = 0, write = 1 } = {}): OwnRecord => ({
  key: 'a',
  write,
  state: { rule: 'newest', at: [Date.now() + aheadMs, 0], by: `${site}.${STORE}`, value },
});
const given = (...records: OwnRecord[]): Given => ({
  project: 'shop',
  name: 'cart',
  incarnation: 1,
  store: STORE,
  records,
});

describe('records that sites give each other', () => {
  let bus: MemoryBus;
  let giving: Giving;
  const said: string[] = [];
  beforeEach(() => {
    said.length = 0;
    bus = new MemoryBus(new MemoryServer());
    giving = new Giving(bus);
    bus.listen(SITE.give('*.*', '*'), (m) => void said.push(m.subject));
  });
  afterEach(async () => {
    await bus.close();
  });
  const give = async (...records: OwnRecord[]) => {
    const mark = giving.give(RULE, STORE, records);
    await new Promise((later) => setImmediate(later));
    return mark;
  };

  it('go to those that the hub has named, and to nobody before or after', async () => {
    expect(await give(word('eu'))).toBeUndefined();
    giving.heard(OTHERS);
    expect(await give(word('eu'))).toBe(OTHERS.mark);
    giving.heard(undefined);
    expect(await give(word('eu'))).toBeUndefined();
    expect(said).toEqual([SITE.give(OTHERS.mark, 'AUS'), SITE.give(OTHERS.mark, 'AJP')]);
  });

  it('are few and small', async () => {
    giving.heard(OTHERS);
    expect(await give(...Array.from({ length: LIMITS.givenRecords + 1 }, () => word('eu')))).toBeUndefined();
    expect(await give(word('eu', { value: 'x'.repeat(LIMITS.givenBytes) }))).toBeUndefined();
    expect(said).toEqual([]);
  });

  it('go by the hub, once for all sites, where there are many', async () => {
    giving.heard(OTHERS);
    const marks = Array.from({ length: 1_000 }, () => giving.give(RULE, STORE, [word('eu')]));
    expect([marks[0], marks.at(-1)]).toEqual([OTHERS.mark, undefined]);
  });

  it('are taken in the name of who gave them', () => {
    giving.heard(OTHERS);
    const record = word('jp');
    expect(giving.taken(RULE, 'AJP', given(record))).toEqual({
      records: [{ origin: `jp.${STORE}`, ...record }],
    });
  });

  it.each([
    ['in the name of another', RULE, word('us')],
    ['of another rule', { ...RULE, conflicts: 'counter' as const }, word('jp')],
    ['of a home elsewhere', { ...RULE, conflicts: 'single-writer' as const, home: 'us' }, single('jp')],
  ])('are refused when they are %s', (_what, rule, record) => {
    giving.heard(OTHERS);
    expect(giving.taken(rule, 'AJP', given(record))).toMatchObject({ refused: expect.any(String) });
  });

  it('are not shown when they are of a time to come', () => {
    giving.heard(OTHERS);
    expect(giving.taken(RULE, 'AJP', given(word('jp', { aheadMs: 3_600_000 })))).toBeUndefined();
  });

  it('are not taken from who is not named; refused when the hub was asked and does not name him', () => {
    expect(giving.taken(RULE, 'AXX', given(word('xx')))).toEqual({ ask: true });
    expect(giving.taken(RULE, 'AXX', given(word('xx')))).toBeUndefined();
    giving.heard(OTHERS);
    expect(giving.taken(RULE, 'AXX', given(word('xx')))).toMatchObject({ refused: expect.any(String) });
  });

  it('are shown as fast as may be, and not faster', () => {
    giving.heard(OTHERS);
    const four = given(...Array.from({ length: 4 }, () => word('jp')));
    const taken = Array.from({ length: 2_000 }, () => giving.taken(RULE, 'AJP', four));
    expect(taken[0]).toBeDefined();
    expect(taken.at(-1)).toBeUndefined();
  });
});

function single(site: string): OwnRecord {
  const state = { rule: 'single-writer' as const, epoch: 1, at: [Date.now(), 0] as [number, number] };
  return { key: 'a', write: 1, state: { ...state, by: `${site}.${STORE}`, value: 'v' } };
}
