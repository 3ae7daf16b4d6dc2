import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ReportCounter } from './report-counter.js';

describe('the numbers of reports', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-counter-'));
    path = join(folder, 'reports.json');
  });
  afterEach(async () => await rm(folder, { recursive: true, force: true }));

  it('rise over restarts, and over what others have used meanwhile', async () => {
    const first = await ReportCounter.open(path);
    const before = await first.next();
    await first.raise(before + 10_000_000);
    const second = await ReportCounter.open(path);
    expect(await second.next()).toBeGreaterThan(before + 10_000_000);
  });

  it('are raised by several at once, each in its turn', async () => {
    const counter = await ReportCounter.open(path);
    const from = counter.position;
    // Told to the one that takes over by itself and by the book that it follows.
    await Promise.all([1, 2, 3, 4].map(async (n) => await counter.raise(from + n * 5_000_000)));
    expect(await counter.next()).toBe(from + 20_000_000);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ next: from + 21_000_000 });
  });
});
