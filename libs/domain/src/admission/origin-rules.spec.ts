import { describe, expect, it } from '@jest/globals';
import { datasetSpecSchema } from '@skerry/contracts';
import { originIssues } from './origin-rules.js';

const AMONG = { among: ['eu', 'us'] };
const KEEP = { ...AMONG, elsewhere: { keep: ['city'] } };
const spec = (origin: object | boolean | undefined, more: object = {}, residency: object = {}) =>
  datasetSpecSchema.parse({
    type: 'keyvalue',
    ...more,
    residency: { ...residency, ...(origin === undefined ? {} : { origin }) },
  });
const problems = (...[asked, before, hub = ['eu', 'us']]: Partial<Parameters<typeof originIssues>>) =>
  originIssues(asked ?? spec(undefined), before, hub).map(({ path, problem }) => `${path}: ${problem}`);

describe('a dataset whose records stay where they were written', () => {
  it('says between which areas, and has a hub that is in every one of them', () => {
    expect(problems(spec(AMONG))).toEqual([]);
    expect(problems(spec(KEEP, { conflicts: 'keep-both' }, { deny: ['cn'] }))).toEqual([]);
    expect(problems(spec(true))).toEqual(['spec.residency.origin: says no areas']);
    expect(problems(spec(AMONG), undefined, ['eu'])).toEqual([
      'spec.residency.origin: the hub keeps the records of every area in clear, and it is in eu: not in us',
    ]);
    expect(originIssues(spec(AMONG), undefined, undefined)).toMatchObject([
      { problem: expect.stringContaining('nobody has said where it is') },
    ]);
  });

  it('may have a hub elsewhere that cannot read them, when other areas get nothing', () => {
    const sealed = { encryption: { at: 'site' } };
    expect(problems(spec(AMONG, sealed), undefined, ['cn'])).toEqual([]);
    expect(problems(spec(KEEP, sealed), undefined, ['cn'])).toEqual([
      expect.stringContaining('spec.residency.origin.elsewhere: not yet offered with encryption'),
    ]);
  });

  it('is of what any site may write, at places that nobody chooses', () => {
    expect(problems(spec(AMONG, { type: 'objects' }))).toEqual([]);
    expect(problems(spec(AMONG, { type: 'log' }))).toEqual([]);
    expect(problems(spec(AMONG, { conflicts: 'single-writer', home: 'de' }))).toHaveLength(1);
    expect(problems(spec(AMONG, { copies: { at: 'with-workloads' } }))).toEqual([
      expect.stringContaining('spec.copies: not yet offered'),
    ]);
  });

  it('shows fields elsewhere only where keys hold values', () => {
    expect(problems(spec(KEEP, { type: 'objects' }))).toEqual([
      expect.stringContaining('spec.residency.origin.elsewhere: not allowed with type: objects'),
    ]);
    for (const conflicts of ['counter', 'set']) {
      expect(problems(spec(AMONG, { conflicts }))).toEqual([]);
      expect(problems(spec(KEEP, { conflicts }))).toEqual([
        expect.stringContaining(`spec.residency.origin.elsewhere: not allowed with conflicts: ${conflicts}`),
      ]);
    }
  });

  it('names its areas in one place', () => {
    expect(problems(spec(AMONG, {}, { stay: ['eu'], deny: ['us'] }))).toEqual([
      'spec.residency.stay: not allowed with origin',
      'spec.residency.origin.among: also in deny',
    ]);
  });

  it('never changes its rule under its records', () => {
    const changed = [expect.stringContaining('spec.residency.origin: changed')];
    expect(problems(spec(AMONG), spec({ among: ['us', 'eu'], elsewhere: 'nothing' }))).toEqual([]);
    expect(problems(spec(KEEP), spec(AMONG))).toEqual(changed);
    expect(problems(spec(AMONG), spec(undefined))).toEqual(changed);
    expect(problems(spec(undefined), spec(AMONG))).toEqual(changed);
    expect(problems(spec({ ...AMONG, elsewhere: { keep: ['name'] } }), spec(KEEP))).toEqual(changed);
  });
});
