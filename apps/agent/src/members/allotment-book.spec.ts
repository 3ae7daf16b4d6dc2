import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Allotment } from '@skerry/contracts';
import { makeLog } from '../log.js';
import { AllotmentBook } from './allotment-book.js';

const SILENT = { ...makeLog('error'), warn: () => undefined };

const allotted = (slots: string[]): Allotment => ({
  kind: 'Allotment',
  project: 'shop',
  name: 'web',
  version: { term: 1, generation: 1, revision: 1 },
  slots,
  epoch: 1,
});

describe('what is allotted to the nodes of a site', () => {
  let folder: string;
  afterEach(async () => {
    jest.useRealTimers();
    await rm(folder, { recursive: true, force: true });
  });

  it('is written until the disk has it: by what lies there a node begins without a server', async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-book-'));
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    const refused: string[] = [];
    const log = { ...SILENT, warn: (said: string) => refused.push(said) };
    const book = await AllotmentBook.open(folder, log);
    await rm(folder, { recursive: true });
    book.take(allotted(['n2']), 1);
    while (refused.length === 0) await new Promise((go) => setImmediate(go));
    await mkdir(folder);
    await jest.advanceTimersByTimeAsync(3_000);
    await book.close();
    const next = await AllotmentBook.open(folder, SILENT);
    expect(next.get('shop.web')?.slots).toEqual(['n2']);
    expect(next.isOfDisk('shop.web')).toBe(true);
    await next.close();
  });
});
