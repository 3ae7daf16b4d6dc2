import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { makeEvent } from './event.js';
import { parseAccountId, parseWorkloadKey, workloadKey } from './ids.js';
import { VERSION } from './release.js';
import { compareVersions, formatVersion, parseVersion, type Version } from './version.js';

const number = fc.integer({ min: 1, max: 4 });
const version: fc.Arbitrary<Version> = fc.record({ term: number, generation: number, revision: number });
const sign = (n: number) => Math.sign(n);

describe('the version of Skerry', () => {
  it('is that of the repository', () => {
    const root: unknown = JSON.parse(
      readFileSync(resolve(import.meta.dirname, '../../../package.json'), 'utf8'),
    );
    expect(root).toMatchObject({ version: VERSION });
  });
});

describe('versions', () => {
  it('are in one order: term before generation before revision', () => {
    const older = { term: 1, generation: 9, revision: 9 };
    expect(compareVersions(older, { term: 2, generation: 1, revision: 0 })).toBeLessThan(0);
    expect(compareVersions({ ...older, generation: 8 }, older)).toBeLessThan(0);
    expect(compareVersions({ ...older, revision: 8 }, older)).toBeLessThan(0);
    expect(compareVersions(older, { ...older })).toBe(0);
  });

  it('can be sorted: the order is total, antisymmetric and transitive', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(sign(compareVersions(a, b))).toBe(-sign(compareVersions(b, a)) || 0);
        expect(compareVersions(a, b) === 0).toBe(formatVersion(a) === formatVersion(b));
        const sorted = [a, b, c].toSorted(compareVersions);
        expect(sorted.every((v, i) => i === 0 || compareVersions(sorted[i - 1] ?? v, v) <= 0)).toBe(true);
      }),
    );
  });

  it('are read back as they were written, and nothing else is a version', () => {
    fc.assert(fc.property(version, (v) => expect(parseVersion(formatVersion(v))).toEqual(v)));
    for (const text of [
      '',
      '1',
      '1.2',
      '1.2.3.4',
      '0.1.1',
      '1.0.1',
      '-1.1.1',
      '1.1.1 ',
      'a.b.c',
      '1e3.1.1',
      '9'.repeat(40),
    ]) {
      expect(parseVersion(text)).toBeUndefined();
    }
  });
});

describe('events', () => {
  it('have an id of type, noun and version: the same thing twice has the same id, another thing another', () => {
    const draft = {
      name: 'web',
      project: 'shop',
      version: '1.2.3',
      at: '2026-01-01T00:00:00.000Z',
      data: {},
    };
    const id = (more: object) => makeEvent({ type: 'workload.placed', ...draft, ...more }).id;
    expect(id({})).toBe('workload.placed/shop/web/1.2.3');
    expect(id({ data: { later: true }, at: '2027-01-01T00:00:00.000Z' })).toBe(id({}));
    const others = [
      { type: 'workload.moved' as const },
      { name: 'api' },
      { project: 'x' },
      { version: '1.2.4' },
    ];
    expect(new Set(others.map(id)).add(id({})).size).toBe(5);
  });

  it('are CloudEvents 1.0 in structured JSON', () => {
    const at = '2026-01-01T00:00:00.000Z';
    expect(
      makeEvent({ type: 'site.lost', name: 'eu-de', version: '4', at, data: { phase: 'lost' } }),
    ).toEqual({
      specversion: '1.0',
      id: 'site.lost/eu-de/4',
      source: '/skerry/inventory',
      type: 'dev.skerry.site.lost.v1',
      subject: 'eu-de',
      time: at,
      datacontenttype: 'application/json',
      data: { phase: 'lost' },
    });
  });
});

describe('ids', () => {
  it('of workloads are read back into project and name', () => {
    expect(parseWorkloadKey(workloadKey('shop', 'web'))).toEqual({ project: 'shop', name: 'web' });
  });

  it('of accounts are 56 characters of base 32 behind an A', () => {
    const account = `A${'B'.repeat(55)}`;
    expect(parseAccountId(account)).toBe(account);
    for (const text of [
      undefined,
      '',
      'A',
      `${account}B`,
      account.toLowerCase(),
      `U${'B'.repeat(55)}`,
      `A${'1'.repeat(55)}`,
    ]) {
      expect(parseAccountId(text)).toBeUndefined();
    }
  });
});
