import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { OWNERSHIP_ENDED_AFTER_MS, SINGLETON_LEASE } from '@skerry/domain';
import { HubSilence } from './hub-silence.js';

const TERM = SINGLETON_LEASE.perTerm;

describe('the lease of a site when its hub was restored', () => {
  let dir: string;
  let silence: HubSilence;
  const lease = (losses: number) =>
    silence.heard(performance.now(), { sentAtMs: performance.now(), losses }, true);
  /** The hub answers all the while. */
  const pass = async (ms: number, losses: number) => {
    await jest.advanceTimersByTimeAsync(ms);
    lease(losses);
  };

  /** The next agent, once this one has written down what it knows. */
  const nextAgent = async (says: (kept: string) => boolean) => {
    const path = join(dir, 'lease.json');
    while (!says(await readFile(path, 'utf8').catch(() => ''))) await silence.keep();
    silence = await HubSilence.open(path);
  };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-silence-'));
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    silence = await HubSilence.open(join(dir, 'lease.json'));
  });
  afterEach(async () => {
    jest.useRealTimers();
    await rm(dir, { recursive: true, force: true });
  });

  it('covers nothing until whoever had a lease of the hub before has none any more', async () => {
    lease(3);
    expect(silence.covers(3)).toBe(true);
    await pass(1_000, TERM);
    await pass(OWNERSHIP_ENDED_AFTER_MS - 1, TERM);
    expect([silence.covers(3), silence.covers(TERM)]).toEqual([false, false]);
    await pass(1, TERM);
    expect([silence.covers(3), silence.covers(TERM)]).toEqual([false, true]);
    // A loss in the same term is no restore.
    await pass(1, TERM + 1);
    expect(silence.covers(TERM + 1)).toBe(true);
  });

  it('covers nothing for as long under an agent that starts anew in between, and no longer', async () => {
    lease(3);
    await pass(1_000, TERM);
    await pass(5_000, TERM);
    await nextAgent((kept) => kept.includes('termAtMs'));
    await pass(OWNERSHIP_ENDED_AFTER_MS - 5_001, TERM);
    expect(silence.covers(TERM)).toBe(false);
    await pass(2, TERM);
    expect(silence.covers(TERM)).toBe(true);
    await nextAgent((kept) => kept !== '' && !kept.includes('termAtMs'));
    expect(silence.covers(TERM)).toBe(true);
  });
});
