import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Launch } from '../drivers/driver.js';
import type { Live } from '../drivers/live.js';
import { alive, assignment, eventually } from '../site-under-test.suite.js';
import { cgroupV2 } from './cgroup-v2.js';
import { Cgroups } from './cgroups.js';
import { NEVER_STARTED } from './keeper.js';
import { ProcessDriver } from './process-driver.js';
import { markOf, StartedBy } from './started-by.js';
import { workFolder } from './work-folder.js';

const ID = 'shop.lead.s1.0';
const LATER = `${2 ** 50}\n`;

describe('a process that owns something', () => {
  let dir: string;
  let driver: ProcessDriver;
  let live: Live | undefined;
  const deadlineFile = () => join(dir, 'deadline');
  const cwd = (name: string) => join(workFolder(dir, ID).cwd, name);
  const has = async (name: string) =>
    await eventually(name, () => existsSync(cwd(name)) && readFileSync(cwd(name), 'utf8').trim());
  const start = async (script: string, given: Partial<Launch> = {}) => {
    const { run, resources } = assignment('lead', { run: { command: ['/bin/sh', '-c', script] } });
    const env = { PATH: process.env['PATH'] ?? '' };
    const launch = { id: ID, run, resources, env, deadlineFile: deadlineFile(), mayBegin: () => true };
    return await driver.start({ ...launch, ...given }, (kept) => {
      live = kept;
      return Promise.resolve();
    });
  };
  const running = () => [live?.main.pid ?? 0, live?.keeper.pid ?? 0].filter((pid) => alive(pid));

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-driver-'));
    driver = new ProcessDriver({ workRoot: dir, cgroups: Cgroups.detect('s1', []) });
    await writeFile(deadlineFile(), LATER);
  });
  afterEach(async () => {
    driver.close();
    await driver.release(ID, live && { ...live, cgroups: [] });
    live = undefined;
    await rm(dir, { recursive: true, force: true });
  });

  it('never begins when it may not any more by the time that its record is written', async () => {
    const recorded: boolean[] = [];
    const mayBegin = () => {
      recorded.push(live !== undefined);
      return false;
    };
    expect(await start('echo >began; exec sleep 1000', { mayBegin })).toMatchObject({ heldBack: true });
    expect([recorded, running(), existsSync(cwd('began'))]).toEqual([[true], [], false]);
  });

  it('never begins when its deadline passed between the last look at the lease and the word to begin', async () => {
    const ended = new Promise((resolve) => driver.onEnded((_id, { code }) => resolve(code)));
    const mayBegin = () => {
      writeFileSync(deadlineFile(), '1\n');
      return true;
    };
    expect(await start('echo >began; exec sleep 1000', { mayBegin })).toEqual({ ok: true });
    expect([await ended, existsSync(cwd('began'))]).toEqual([NEVER_STARTED, false]);
  });

  it('is ended after its deadline though its whole group was signalled before, by others or by itself', async () => {
    await start(
      "trap '' TERM INT QUIT HUP USR1 USR2; kill 0; kill -HUP 0; echo >began; while :; do sleep 1000; done",
    );
    await has('began');
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const)
      process.kill(-(live?.keeper.pid ?? 0), signal);
    expect(running()).toHaveLength(2);
    await writeFile(deadlineFile(), '1\n');
    await eventually('it is ended', () => running().length === 0);
  });

  it('leaves no watch when it ended by itself, and its exit code', async () => {
    const ended = new Promise((resolve) => driver.onEnded((_id, { code }) => resolve(code)));
    await start('exit 7');
    expect(await ended).toBe(7);
    expect([running(), live && new StartedBy(live, markOf(dir, ID)).members()]).toEqual([[], []]);
    expect(await readFile(workFolder(dir, ID).log('stderr'), 'utf8')).toBe('');
  });

  /** Starts a child that leaves its session, is let go by its parent and does not listen to TERM; says its number. */
  const LEAVES = `${process.execPath} -e '
    const { spawn } = require("node:child_process");
    const options = { detached: true, stdio: "ignore" };
    const child = spawn("/bin/sh", ["-c", "trap : TERM; while :; do sleep 1; done"], options);
    child.unref(); require("node:fs").writeFileSync("left", String(child.pid));'`;

  it('is stopped with what it started in sessions of their own, where there are no cgroups, and with nothing else', async () => {
    // Of a replica of the same name, in another cloud on this machine.
    const env = { ...process.env, SKERRY_MARK: markOf('/elsewhere', ID) };
    const other = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env });
    await start(`${LEAVES}; exec sleep 1000`);
    const left = Number(await has('left'));
    await driver.stop(ID, live, { signal: 'SIGTERM', graceMs: 5_000 });
    expect([running(), alive(left), alive(other.pid ?? 0)]).toEqual([[], false, true]);
    other.kill('SIGKILL');
  });

  it('is ended by its keeper with what it started in sessions of their own', async () => {
    await start(`${LEAVES}; exec sleep 1000`);
    const left = Number(await has('left'));
    await writeFile(deadlineFile(), '1\n');
    await eventually('all is ended', () => running().length === 0 && !alive(left));
    expect(live?.cgroups).toEqual([]);
  });

  it('is ended with what it started in sessions of their own, where it has a cgroup', async () => {
    // A folder stands in for the kernel's.
    const mount = join(dir, 'cgroup');
    for (const folder of ['', 'skerry', 'skerry/s1']) {
      await mkdir(join(mount, folder), { recursive: true });
      await writeFile(join(mount, folder, 'cgroup.controllers'), 'cpu memory\n');
    }
    const cgroups = Cgroups.detect('s1', [cgroupV2(mount, join(mount, 'self'))]);
    driver = new ProcessDriver({ workRoot: dir, cgroups });
    await start('echo >began; exec sleep 1000');
    await has('began');
    const apart = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    const procs = join(live?.cgroups[0] ?? '', 'cgroup.procs');
    await writeFile(procs, `${await readFile(procs, 'utf8')}\n${apart.pid}\n`);
    await writeFile(join(live?.cgroups[0] ?? '', 'cgroup.kill'), '');
    await writeFile(deadlineFile(), '1\n');
    await eventually('all is ended', () => running().length === 0 && !alive(apart.pid ?? 0));
    expect(await readFile(join(live?.cgroups[0] ?? '', 'cgroup.kill'), 'utf8')).toBe('1\n');
  });
});
