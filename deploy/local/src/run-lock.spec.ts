import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { catches, isRunning, startTimeOf } from './known-process.js';
import { CloudRunsAlready, takeRunLock } from './run-lock.js';

describe('the lock of a cloud', () => {
  let home: string;
  let path: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'skerry-lock-'));
    path = join(home, 'run.lock');
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  it('is held by one at a time, and free again when given back', async () => {
    const unlock = await takeRunLock(path);
    await expect(takeRunLock(path)).rejects.toThrow(CloudRunsAlready);
    await expect(takeRunLock(path)).rejects.toThrow(`from ${home} already (process ${process.pid})`);
    await unlock();
    await (
      await takeRunLock(path)
    )();
    expect(await readdir(home)).toEqual([]);
  });

  it('goes to exactly one of many who try at once', async () => {
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => takeRunLock(path)));
    expect(tries.filter((t) => t.status === 'fulfilled').length).toBe(1);
  });

  it.each([
    ['a process that is gone', { pid: 2 ** 22 - 1, startTime: 'x' }],
    ['another process that has got the same number', { pid: process.pid, startTime: 'long ago' }],
  ])('is taken over from %s', async (_, holder) => {
    await writeFile(path, JSON.stringify(holder));
    const unlock = await takeRunLock(path);
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      pid: process.pid,
      startTime: startTimeOf(process.pid),
    });
    await unlock();
  });

  it.each(['', '{"pid":', '[]', '{"pid":"1","startTime":7}'])(
    'is taken over when it holds %j',
    async (text) => {
      await writeFile(path, text);
      const unlock = await takeRunLock(path);
      expect(await readFile(path, 'utf8')).toMatch(`"pid":${process.pid}`);
      await unlock();
    },
  );
});

describe('a known process', () => {
  it('is told from a later one with the same number', () => {
    const startTime = startTimeOf(process.pid) ?? '';
    expect(isRunning({ pid: process.pid, startTime })).toBe(true);
    expect(isRunning({ pid: process.pid, startTime: `${startTime}0` })).toBe(false);
  });

  it('is no longer running once it has ended', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'], { stdio: 'ignore' });
    const known = { pid: child.pid ?? 0, startTime: startTimeOf(child.pid ?? 0) ?? '' };
    expect(isRunning(known)).toBe(true);
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
    expect(isRunning(known)).toBe(false);
  });

  it('shows which signals it handles', async () => {
    const child = spawn(
      process.execPath,
      ['-e', "process.on('SIGUSR2', () => {}); console.log('on'); setTimeout(() => {}, 60_000)"],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    await new Promise((said) => child.stdout.once('data', said));
    const { SIGUSR2, SIGHUP } = constants.signals;
    expect([SIGUSR2, SIGHUP].map((signal) => catches(child.pid ?? 0, signal))).toEqual([true, false]);
    child.kill('SIGKILL');
  });
});
