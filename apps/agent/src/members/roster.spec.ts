import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { LOCAL, memberSchema, type SitePulse } from '@skerry/contracts';
import { makeLog } from '../log.js';
import { Beats } from './beats.js';
import { eventually } from '../site-under-test.suite.js';
import { Roster } from './roster.js';

const SILENT = { ...makeLog('error'), warn: () => undefined, error: () => undefined };
const AT = '2026-01-01T00:00:00.000Z';

const member = (node: string) =>
  memberSchema.parse({
    kind: 'Member',
    incarnation: node,
    joinedAt: AT,
    report: {
      kind: 'Node',
      site: 's1',
      node,
      address: '127.0.0.1',
      bootId: 'boot',
      arch: 'x64',
      os: 'linux',
      cgroup: 'none',
      agentVersion: '0.2.0',
      drivers: ['process'],
      allocatable: { cpuMillicores: 1_000, memoryMiB: 1_000, diskMiB: 1_000, gpus: 0 },
      startedAt: AT,
      reportedAt: AT,
      report: 1,
    },
  });

describe('the nodes of a site', () => {
  let bus: MemoryBus;
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-roster-'));
    bus = new MemoryBus(new MemoryServer());
  });
  afterEach(async () => {
    jest.useRealTimers();
    await bus.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('are written down as soon as the disk takes it: the next agent would run everything', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    const path = join(dir, 'later', 'members.json');
    const roster = await Roster.open(path, SILENT);
    const following = roster.follow(bus);
    await jest.advanceTimersByTimeAsync(100);
    await following;
    for (const node of ['n1', 'n2']) await roster.enter(bus, member(node));
    await jest.advanceTimersByTimeAsync(100);
    expect(roster.several).toBe(true);
    await mkdir(join(dir, 'later'));
    await jest.advanceTimersByTimeAsync(3_000);
    jest.useRealTimers();
    await roster.close();
    expect((await Roster.open(path, SILENT)).several).toBe(true);
  });

  it('hear a controller whose epoch is lower, once their server has ended: it may have lost the one before', async () => {
    const answered: number[] = [];
    const beats = new Beats(bus, {
      node: 'n2',
      incarnation: 'x',
      removed: () => false,
      state: () => ({ reported: true, seen: 0, applied: 0, held: 0, running: 0, troubles: [] }),
      pulse: () => undefined,
      onAnswer: (_sentAt, { epoch }) => answered.push(epoch),
    });
    beats.start();
    const pulse = (epoch: number): SitePulse => ({ controller: 'n1', epoch, heard: { n2: 'x.1' } });
    const say = (epoch: number) => bus.say(LOCAL.pulse, pulse(epoch));
    const heard = async (count: number) =>
      await eventually('the controller is heard', () => answered.length === count && answered);
    for (const epoch of [60, 55, 60]) say(epoch);
    expect(await heard(2)).toEqual([60, 60]);
    bus.cut();
    bus.heal();
    say(55);
    expect(await heard(3)).toEqual([60, 60, 55]);
    beats.stop();
  });
});
