import type { Status } from '@skerry/contracts';
import type { ReadModel } from './read-model.js';

const PLENTY = 1_000_000;

export function statusOf(name: string, change: Partial<Status> = {}): Status {
  return {
    kind: 'Status',
    project: 'shop',
    name,
    type: 'service',
    phase: 'running',
    generation: 1,
    wanted: 1,
    running: 1,
    sites: [],
    reasons: [],
    updatedAt: '2026-01-01T00:00:00.000Z',
    ...change,
  };
}
const change = (status: Status) => ({ key: `${status.project}.${status.name}`, status });

/** The rules of a read model: the same for every implementation. */
export function readModelSuite(make: () => Promise<ReadModel>): void {
  let model: ReadModel;
  beforeEach(async () => {
    model = await make();
  });
  afterEach(() => model.close());

  it('gives what was written last, and nothing for what was removed', async () => {
    await model.write([change(statusOf('web')), change(statusOf('db'))]);
    await model.write([
      change(statusOf('web', { phase: 'degraded' })),
      { key: 'shop.db', status: undefined },
    ]);
    expect(await model.get('shop.web')).toEqual(statusOf('web', { phase: 'degraded' }));
    expect(await model.get('shop.db')).toBeUndefined();
    expect(await model.keys()).toEqual(['shop.web']);
  });

  it('takes the removal of what it never had', async () => {
    await model.write([{ key: 'shop.none', status: undefined }]);
    expect(await model.keys()).toEqual([]);
  });

  it('gives pages in the order of the keys, each of which fits, with everything once', async () => {
    const names = Array.from({ length: 150 }, (_, i) => `w${String(i).padStart(3, '0')}`);
    await model.write(names.toReversed().map((name) => change(statusOf(name))));
    const bytes = Buffer.byteLength(JSON.stringify(statusOf('w000'))) * 40;
    const seen: string[] = [];
    const sizes: number[] = [];
    let after: string | undefined;
    do {
      const page = await model.page({ after, bytes });
      sizes.push(page.items.length);
      seen.push(...page.items.map((s) => s.name));
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(names);
    expect(sizes).toEqual([40, 40, 40, 30]);
  });

  it('gives one status a page when none fits', async () => {
    await model.write([change(statusOf('a')), change(statusOf('b'))]);
    const first = await model.page({ bytes: 1 });
    expect(first.items.map((s) => s.name)).toEqual(['a']);
    const second = await model.page({ bytes: 1, after: first.next });
    expect(second.items.map((s) => s.name)).toEqual(['b']);
    expect(second.next).toBeUndefined();
  });

  it('gives one project alone, also beside one whose name begins the same', async () => {
    await model.write([
      change(statusOf('web', { project: 'shop' })),
      change(statusOf('web', { project: 'shop-x' })),
      change(statusOf('web', { project: 'sho' })),
    ]);
    const page = await model.page({ project: 'shop', bytes: PLENTY });
    expect(page.items.map((s) => s.project)).toEqual(['shop']);
    expect(await model.page({ project: 'none', bytes: PLENTY })).toEqual({ items: [] });
  });

  it('keeps the mark of who filled it', async () => {
    expect(await model.marked()).toBeUndefined();
    await model.mark(7);
    expect(await model.marked()).toBe(7);
  });
}
