import type { Decided, Workload } from '@skerry/contracts';
import { workload } from '../replication/examples.suite.js';
import { at } from '../site-operations/access.suite.js';
import { refuseDecided, siteCommandId } from './decided.js';

describe('a change that comes to the hub with its site', () => {
  const [here, there] = ['0123456789abcdef', 'fedcba9876543210'];
  const idOf = (id: string, ms = 0, mark = here) => siteCommandId(mark, at(ms), id);
  const known = workload({ generation: 4, updatedAt: at(60_000), requestId: 'request-0' });
  const over = (generation: number) => ({
    at: at(0),
    after: [],
    unknown: [],
    bases: { 'shop.web': generation },
  });
  const ask = (decided: Decided | undefined, workload_: Workload | undefined, id = idOf('change-2')) =>
    refuseDecided(decided, id, [{ ref: { project: 'shop', name: 'web' }, known: workload_ }])?.title;

  it('counts when the workload is still as the site knew it, whatever the clocks say', () => {
    expect(ask(over(4), known)).toBeUndefined();
    expect(ask(undefined, workload({ generation: 9 }))).toBeUndefined();
  });

  it('overwrites nothing that was changed at the hub meanwhile, earlier or later by whatever clock', () => {
    expect(ask(over(3), known)).toContain('is at generation 4, and the site decided over 3');
    expect(ask(over(3), { ...known, updatedAt: at(-60_000) })).toContain('is at generation 4');
    expect(ask(over(4), { ...known, removed: true })).toContain('was removed');
    expect(ask(over(4), undefined)).toContain('was removed');
  });

  it('follows what went before it from the same site, and nothing else', () => {
    const after = { ...over(3), after: ['change-1'] };
    const made = (requestId: string) => workload({ generation: 4, requestId });
    expect(ask(after, made(idOf('change-1')))).toBeUndefined();
    expect(ask(over(3), made(idOf('change-1')))).toContain('is at generation 4');
    expect(ask(after, made(idOf('change-1', 0, there)))).toContain('is at generation 4');
    // Its id is known at the site, and it was not made there.
    expect(ask({ ...over(3), after: ['request-0'] }, made('request-0'))).toContain('is at generation 4');
  });

  it('comes too late when the one that it says went before was asked for after it: it was held back, or is played again', () => {
    const after = { ...over(3), after: ['change-1'] };
    const later = workload({ generation: 4, requestId: idOf('change-1', 3_600_000) });
    expect(ask(after, later)).toContain('is at generation 4');
    const clocksApart = workload({ generation: 4, requestId: idOf('change-1', 5 * 60_000) });
    expect(ask(after, clocksApart)).toBeUndefined();
  });

  it('is refused when the site took for new what is there, or was removed since', () => {
    const begun = { at: at(0), after: [], unknown: ['shop.web'] };
    expect(ask(begun, known)).toContain('was there already');
    expect(ask(begun, workload({ removed: true, updatedAt: at(-60_000) }))).toBeUndefined();
    expect(ask(begun, workload({ removed: true, updatedAt: at(60_000) }))).toContain('was removed after');
    expect(ask(begun, undefined)).toBeUndefined();
  });
});
