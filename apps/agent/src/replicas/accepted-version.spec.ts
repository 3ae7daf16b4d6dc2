import { describe, expect, it } from '@jest/globals';
import type { Allotment } from '@skerry/contracts';
import { assignment } from '../site-under-test.suite.js';
import { acceptedOf } from './accepted-version.js';

const version = { term: 1, generation: 1, revision: 1 };
const allotted = (more: Partial<Allotment> = {}): Allotment => ({
  kind: 'Allotment',
  project: 'shop',
  name: 'web',
  version,
  slots: ['n1'],
  epoch: 1,
  ...more,
});

describe('which version a node runs', () => {
  const wanted = assignment('web');
  const changed = assignment('web', { run: { command: ['sleep', '2000'] } });

  it('is not a local change before that was accepted for the site', () => {
    const running = wanted;
    expect(acceptedOf(changed, { running, allotment: allotted(), change: 'p1' })).toBe(running);
    expect(acceptedOf(changed, { running, allotment: allotted({ change: 'p1' }), change: 'p1' })).toBe(
      changed,
    );
    expect(acceptedOf(changed, { running, allotment: allotted({ change: 'p1' }), change: 'p2' })).toBe(
      running,
    );
  });

  it('is a local change that was taken back until the site is given back what the hub wants', () => {
    const running = changed;
    expect(acceptedOf(wanted, { running, allotment: allotted({ change: 'p1' }), change: undefined })).toBe(
      running,
    );
    expect(acceptedOf(wanted, { running, allotment: allotted(), change: undefined })).toBe(wanted);
  });
});
