import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  copySchema,
  datasetOperationSchema,
  deliverySchema,
  parseAcross,
  type Copy as CopyRule,
  type ElsewhereRecord,
} from '@skerry/contracts';
import { Copies } from './copies.js';
import { operate } from './operate.js';

const ignore = () => undefined;
const LOG = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const THERE = 'ny.00000000000000aa';
const rule = (more: Partial<CopyRule> = {}): CopyRule =>
  copySchema.parse({
    project: 'shop',
    name: 'people',
    incarnation: 1,
    generation: 1,
    conflicts: 'newest',
    limits: { keys: 100, bytes: 100_000, valueBytes: 1_000 },
    area: 'eu',
    ...more,
  });
const there = (key: string, value: string | undefined, ms: number): ElsewhereRecord => ({
  area: 'us',
  origin: THERE,
  key,
  write: ms,
  state: { rule: 'newest', at: [ms, 0], by: THERE, ...(value === undefined ? {} : { value }) },
});

describe('what may be known of other areas', () => {
  let dir: string;
  let copies: Copies;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-elsewhere-'));
    copies = await Copies.open(dir, { site: 'de', node: 'n1', log: LOG });
  });
  afterEach(async () => {
    await copies.close();
    await rm(dir, { recursive: true });
  });

  const ask = async (operation: object) =>
    await operate(copies, datasetOperationSchema.parse({ project: 'shop', name: 'people', ...operation }));

  it('is shown with its area beside what is held here, the newest of each, and survives a restart', async () => {
    const copy = await copies.want(rule());
    await ask({ verb: 'put', key: 'ann', value: '{"name":"Ann"}' });
    await copy.take([], {
      after: 0,
      upTo: 3,
      elsewhere: [there('ann', '{"city":"LA"}', 2), there('bob', '{"city":"NY"}', 1)],
    });
    await copy.take([], { after: 3, upTo: 4, elsewhere: [there('ann', '{"city":"old"}', 1)] });
    const before = copy.state();
    await copies.close();
    copies = await Copies.open(dir, { site: 'de', node: 'n1', log: LOG });
    expect(copies.get('shop.people')?.copy.state()).toMatchObject({
      keys: 1,
      digest: before.digest,
      cursor: 4,
    });
    expect(await ask({ verb: 'get', key: 'ann' })).toMatchObject({
      entry: { area: 'eu', value: '{"name":"Ann"}', elsewhere: [{ area: 'us', value: '{"city":"LA"}' }] },
    });
    expect(await ask({ verb: 'list' })).toMatchObject({ entries: [{ key: 'ann' }, { key: 'bob' }] });
    expect(await ask({ verb: 'list', limit: 1 })).toMatchObject({ entries: [{ key: 'ann' }], next: 'ann' });
    const { entry } = Object.fromEntries(Object.entries(await ask({ verb: 'get', key: 'bob' })));
    expect(entry).toEqual({
      key: 'bob',
      area: 'eu',
      elsewhere: [{ area: 'us', value: '{"city":"NY"}', at: expect.any(String) }],
    });
  });

  it('is neither in the digest nor ever sent on, and a write here is of this area', async () => {
    const copy = await copies.want(rule());
    const empty = copy.state().digest;
    await copy.take([], { after: 0, upTo: 1, elsewhere: [there('bob', '{"city":"NY"}', 1)] });
    expect(copy.state()).toMatchObject({ keys: 0, digest: empty, unsent: 0 });
    await ask({ verb: 'put', key: 'bob', value: 'mine' });
    expect(copy.unsentRecords().records).toMatchObject([{ key: 'bob', state: { value: 'mine' } }]);
  });

  it('is gone when it is deleted or withheld there', async () => {
    const copy = await copies.want(rule());
    await copy.take([], { after: 0, upTo: 1, elsewhere: [there('bob', '{"city":"NY"}', 1)] });
    await copy.take([], { after: 1, upTo: 2, elsewhere: [there('bob', undefined, 2)] });
    await expect(ask({ verb: 'get', key: 'bob' })).rejects.toMatchObject({ code: 'not-found' });
    expect(await ask({ verb: 'list' })).toMatchObject({ entries: [] });
  });

  it('is left out by an agent that knows nothing of areas, and read once it does', async () => {
    const delivery = { project: 'shop', name: 'people', incarnation: 1, after: 0, upTo: 1, records: [] };
    const news = { ...delivery, elsewhere: [there('bob', '{"city":"NY"}', 1)] };
    expect(parseAcross(deliverySchema.omit({ elsewhere: true }), news)).toEqual({
      ok: true,
      value: delivery,
    });
    const { area: _area, ...before } = rule();
    const copy = await copies.want(before);
    await copy.take([], { after: 0, upTo: 9 });
    await copies.want(rule());
    expect(copy.cursor).toBe(0);
  });
});
