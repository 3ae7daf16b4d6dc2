import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { logRuleSchema } from '@skerry/contracts';
import { judgeEntries } from '@skerry/domain';
import { EntryLogs } from './entry-logs.js';

const ignore = () => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const KEY = 'plant.heat';
const RULE = logRuleSchema.parse({
  project: 'plant',
  name: 'heat',
  incarnation: 1,
  generation: 1,
  flow: 'collect',
  bytes: 64 * 1_024,
  valueBytes: 1_024,
});

describe('the logs of a node', () => {
  let folder: string;
  let logs: EntryLogs;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-logs-'));
    logs = await open();
  });
  afterEach(async () => {
    await logs.close();
    await rm(folder, { recursive: true });
  });

  const open = async () => await EntryLogs.open(folder, { site: 'eu', node: 'eu-1', log });

  it('that are taken away and given again write under another name: the hub takes what they write', async () => {
    // Up to which entry the hub has them, by who wrote them.
    const hub = new Map<string, number>();
    const append = async (value: string) => {
      const kept = await logs.want(RULE);
      await kept.append([value]);
      const stored = hub.get(kept.origin) ?? 0;
      const judged = judgeEntries(await kept.unsentEntries(), { stored, valueBytes: RULE.valueBytes });
      if (judged.verdict === 'take') hub.set(kept.origin, judged.upTo);
      return judged;
    };
    expect(await append('before')).toMatchObject({ verdict: 'take' });
    const before = logs.get(KEY)?.log.origin;
    await logs.close();
    logs = await open();
    expect(logs.get(KEY)?.log.origin).toBe(before);
    await logs.forget(KEY);
    expect(await append('after')).toMatchObject({
      verdict: 'take',
      entries: [{ number: 1, value: 'after' }],
    });
  });

  const append = async (rule: typeof RULE, ...values: string[]) => {
    const kept = await logs.want(rule);
    await kept.append(values);
    return kept;
  };

  it('that are given up go only when the hub has every entry', async () => {
    const kept = await append(RULE, '1', '2');
    await kept.hubHas(1);
    expect(await logs.giveUp(KEY)).toBe(false);
    expect(logs.get(KEY)?.log.unsent).toBe(1);
    await logs.get(KEY)?.log.hubHas(2);
    expect(await logs.giveUp(KEY)).toBe(true);
    await logs.close();
    logs = await open();
    expect(logs.get(KEY)).toBeUndefined();
    expect(await logs.giveUp(KEY)).toBe(true);
  });

  it('that are given up stay with what was being written meanwhile, and go on', async () => {
    const kept = await append(RULE, '1');
    await kept.hubHas(1);
    const writing = kept.append(['2']);
    expect(await logs.giveUp(KEY)).toBe(false);
    await writing;
    const after = logs.get(KEY)?.log;
    expect(await after?.unsentEntries()).toMatchObject({ from: 2, entries: [{ value: '2' }] });
    expect(after?.origin).toBe(kept.origin);
    await after?.append(['3']);
    expect(after?.unsent).toBe(2);
  });

  it('that are given up stay while a window is open, of which the hub has nothing yet', async () => {
    const edge = { keep: 'windows' as const, everyMs: 3_600_000 };
    const kept = await append({ ...RULE, edge }, '1', '2');
    expect([kept.unsent, kept.written]).toEqual([0, 1]);
    expect(await logs.giveUp(KEY)).toBe(false);
    await kept.closeWindows(Date.now() + 2 * edge.everyMs);
    expect([kept.unsent, kept.written]).toEqual([1, 1]);
    await kept.hubHas(1);
    expect(await logs.giveUp(KEY)).toBe(true);
  });
});
