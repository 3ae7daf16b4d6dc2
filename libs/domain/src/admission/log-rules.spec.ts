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

  it('may have another rule at the edge, and no other flow', () => {
    expect(paths({ log: { edge: { keep: 'one-in', n: 3 } } }, { log: {} })).toEqual([]);
    expect(paths({ log: { flow: 'mesh' } }, {})).toEqual(['spec.log.flow: changed']);
  });
});
