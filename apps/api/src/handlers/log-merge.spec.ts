import { describe, expect, it } from '@jest/globals';
import type { LogLine } from '@skerry/contracts';
import { LogMerge } from './log-merge.js';

const line = (at: number, site = 'a'): LogLine => ({
  site,
  replica: `shop.web.${site}.0`,
  at: new Date(at).toISOString(),
  stream: 'stdout',
  line: String(at),
});
const textOf = ({ lines }: { lines: LogLine[] }) => lines.map((one) => Number(one.line));

describe('a merged log', () => {
  it('is in the order of time, whatever site answered first', () => {
    const merge = new LogMerge(100);
    merge.add([line(3), line(5)]);
    merge.add([line(1, 'b'), line(4, 'b')]);
    expect(textOf(merge.take(false))).toEqual([1, 3, 4, 5]);
  });

  it('begins with the newest lines over all sites, then leaves nothing out', () => {
    const merge = new LogMerge(2);
    merge.add([line(1), line(2), line(3)]);
    expect(textOf(merge.take(true))).toEqual([2, 3]);
    merge.add([line(4), line(5), line(6)]);
    expect(textOf(merge.take(true))).toEqual([4, 5, 6]);
  });

  it('begins with nothing when no lines are asked for', () => {
    const merge = new LogMerge(0);
    merge.add([line(1)]);
    expect(textOf(merge.take(true))).toEqual([]);
    merge.add([line(2)]);
    expect(textOf(merge.take(true))).toEqual([2]);
  });

  it('holds a bounded number of lines, drops the oldest and tells of it', () => {
    const merge = new LogMerge(100_000);
    merge.add([line(0)]);
    merge.take(true);
    merge.add(Array.from({ length: 20_010 }, (_, i) => line(i + 1)));
    const { lines, gaps } = merge.take(true);
    expect(lines).toHaveLength(20_000);
    expect(lines[0]?.line).toBe('11');
    expect(gaps).toEqual([{ site: 'a', reason: '10 lines left out: read too slowly' }]);
  });
});
