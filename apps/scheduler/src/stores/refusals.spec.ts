import { describe, expect, it } from '@jest/globals';
import { observedSchema, type Observed } from '@skerry/contracts';
import { RefusalsStore } from './refusals.store.js';

const KEY = 'shop.web';
const said = (revision: number, state: Observed['state'], wanted: number): Observed =>
  observedSchema.parse({
    kind: 'Observed',
    site: 'a',
    project: 'shop',
    name: 'web',
    version: { term: 1, generation: 1, revision },
    state,
    ...(state === 'refused' ? { refusal: { check: 'cpu', ok: false, has: '1', needs: '2' } } : {}),
    wanted,
    replicas: [],
    report: revision,
    reportedAt: '2026-01-01T00:00:00.000Z',
  });

describe('a refusal', () => {
  it('stands while the site takes away what it was asked for, and ends when it accepts some of it', () => {
    const refusals = new RefusalsStore();
    const counts = () => refusals.of(KEY, 1, undefined, 0).size;
    expect(refusals.take(KEY, said(1, 'refused', 3), 0)).toBe(true);
    // A removal that is under way is told as accepted, with nothing wanted, before it is `absent`.
    refusals.take(KEY, said(2, 'accepted', 0), 0);
    refusals.take(KEY, said(2, 'absent', 0), 0);
    expect(counts()).toBe(1);
    refusals.take(KEY, said(3, 'accepted', 1), 0);
    expect(counts()).toBe(0);
  });
});
