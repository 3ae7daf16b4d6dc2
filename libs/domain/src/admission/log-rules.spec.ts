import { describe, expect, it } from '@jest/globals';
import { datasetSpecSchema } from '@skerry/contracts';
import { logIssues } from './log-rules.js';

const spec = (more: object) => datasetSpecSchema.parse({ type: 'log', ...more });
const paths = (given: object, before?: object) =>
  logIssues(spec(given), before && spec(before)).map(({ path, problem }) => `${path}: ${problem}`);

describe('a log that is asked for', () => {
  it('may say nothing, or where its entries go and what of them', () => {
    expect(paths({})).toEqual([]);
    const edge = { keep: 'windows', everyMs: 60_000, of: 'c', by: 'room' };
    expect(paths({ log: { flow: 'mesh', edge }, ttlMs: 60_000, limits: { bytes: 1_000_000 } })).toEqual([]);
  });

  it('is refused what has no meaning for it, with all reasons', () => {
    const given = {
      conflicts: 'counter',
      limits: { bytes: 2_000 },
      log: { flow: 'broadcast', edge: { keep: 'one-in', n: 2 } },
    };
    expect(paths(given)).toEqual([
      'spec.conflicts: not allowed',
      'spec.limits.bytes: too small',
      'spec.log.edge: not allowed',
    ]);
    expect(paths({ type: 'keyvalue', log: {} })).toEqual(['spec.log: not allowed']);
  });

  it('stays in the area where it was written where sites write it, and tells of others only what entries have', () => {
    const among = ['eu', 'us'];
    const kept = (log: object, keep?: string[]) =>
      paths({
        log,
        residency: { origin: { among, ...(keep === undefined ? {} : { elsewhere: { keep } }) } },
      });
    const windows = { keep: 'windows', everyMs: 60_000, by: 'room' };
    const numbers = { keep: 'changes', deadband: 1 };
    expect(kept({})).toEqual([]);
    expect(kept({ flow: 'mesh' })).toEqual([]);
    expect(kept({ flow: 'mesh' }, ['city'])).toEqual([]);
    expect(kept({ flow: 'mesh', edge: windows }, ['mean'])).toEqual([]);
    expect(kept({ flow: 'broadcast' })).toEqual([expect.stringMatching(/origin: not allowed.*centre/)]);
    expect(kept({}, ['city'])).toEqual([
      expect.stringMatching(/elsewhere: not allowed with log.flow: collect/),
    ]);
    expect(kept({ flow: 'mesh', edge: windows }, ['city'])).toEqual([
      expect.stringMatching(/objects of sensor/),
    ]);
    expect(kept({ flow: 'mesh', edge: numbers }, ['city'])).toEqual([expect.stringMatching(/are numbers/)]);
  });

  it('is encrypted where it is written and read at sites alone', () => {
    const encryption = { at: 'site' };
    expect(paths({ encryption, log: { flow: 'mesh' } })).toEqual([]);
    expect(paths({ encryption })).toEqual([
      expect.stringMatching(/encryption: not allowed.*could not read it/),
    ]);
    expect(paths({ encryption, log: { flow: 'broadcast' } })).toEqual([
      expect.stringMatching(/encryption: not allowed.*written at the centre, in clear/),
    ]);
  });

  it('may have another rule at the edge, and no other flow', () => {
    expect(paths({ log: { edge: { keep: 'one-in', n: 3 } } }, { log: {} })).toEqual([]);
    expect(paths({ log: { flow: 'mesh' } }, {})).toEqual(['spec.log.flow: changed']);
  });
});
