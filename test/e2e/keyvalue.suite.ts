import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { SkerryClient } from '@skerry/client';
import { HUB, type CopyState } from '@skerry/contracts';
import type { CloudUnderTest } from './cloud-under-test.js';
import { eventually } from './cloud-under-test.js';
import type { SiteLab } from './site-lab.js';
import { CLI, type CommandResult } from './skerry-command.js';
import type { SmallDisk } from './small-disk.js';

/** A cloud with sites `one`, `two` and `far`, whose agent has a clock that is 2 s ahead and a small disk for its copies. */
export interface KeyvalueCloud {
  under: CloudUnderTest;
  client: SkerryClient;
  lab: SiteLab;
  farDisk: SmallDisk;
  skerry: (...args: string[]) => Promise<CommandResult>;
  /** What a replica at a site sees, by its agent's endpoint. */
  call: (site: string, path: string, init?: RequestInit) => Promise<{ status: number; body: unknown }>;
  make: (name: string, spec: object) => Promise<void>;
}

const WITHIN_MS = 15_000;

/** What people see of copies, and how they behave with a clock that is wrong, a disk that is full and a home that is elsewhere. */
export function keyvalueSuite(cloud: () => KeyvalueCloud): void {
  const put = async (site: string, path: string, value: string) =>
    await cloud().call(site, path, { method: 'PUT', body: value });
  const valueAt = async (site: string, path: string) => {
    const { body } = await cloud().call(site, path);
    return JSON.stringify(body);
  };
  const until = async (site: string, path: string, text: string) =>
    await eventually(async () => ((await valueAt(site, path)).includes(text) ? true : undefined), {
      withinMs: WITHIN_MS,
      what: `${text} in ${path} at ${site}`,
    });

  it('a clock that is 2 s ahead wins over nothing that knew of its write', async () => {
    await put('far', 'cart/clock', 'from far');
    await until('one', 'cart/clock', 'from far');
    await put('one', 'cart/clock', 'from one');
    for (const site of ['two', 'far']) await until(site, 'cart/clock', 'from one');
    const { stdout } = await cloud().skerry('data', 'verify', 'cart');
    expect(stdout).toMatch(/3 copies hold the same[^]*next: skerry data lag test\/cart/);
  });

  it('only its home writes a dataset with one writer: elsewhere is refused with where to, cut off or not', async () => {
    const { lab, make } = cloud();
    await make('till', { conflicts: 'single-writer', home: 'one' });
    expect(await put('one', 'till/k', 'v')).toMatchObject({ status: 200 });
    await until('two', 'till/k', 'v');
    lab.cut('two');
    try {
      const refused = await put('two', 'till/k', 'w');
      expect(refused).toMatchObject({
        status: 409,
        body: { code: 'conflict', hint: 'write at one; here it can be read' },
      });
      expect(await valueAt('two', 'till/k')).toContain('"v"');
      expect(await put('one', 'till/k', 'x')).toMatchObject({ status: 200 });
    } finally {
      lab.heal('two');
    }
    await until('two', 'till/k', '"x"');
  }, 30_000);

  it('conflicts are listed with who wrote what, and gone when what was seen is written over', async () => {
    const { make, skerry } = cloud();
    await make('pads', { conflicts: 'keep-both' });
    await put('one', 'pads/k', 'of one');
    await put('two', 'pads/k', 'of two');
    for (const text of ['of one', 'of two']) await until('one', 'pads/k', text);
    await put('one', 'pads/alone', 'v');
    const listed = await skerry('data', 'conflicts', 'pads', '--at', 'one', '--json');
    const entry = JSON.parse(listed.stdout);
    const values = entry.siblings.map((s: { site: string; value: string }) => [s.site, s.value]).toSorted();
    expect([entry.key, values]).toEqual([
      'k',
      [
        ['one', 'of one'],
        ['two', 'of two'],
      ],
    ]);
    const resolved = await skerry('data', 'put', 'pads', 'k', 'both', '--seen', entry.context, '--at', 'one');
    expect(resolved).toMatchObject({ code: 0, stdout: expect.stringMatching(/^both$/m) });
    const after = await skerry('data', 'conflicts', 'pads', '--at', 'one');
    expect(after).toMatchObject({
      code: 0,
      stdout: expect.not.stringContaining('of one'),
      stderr: expect.stringContaining('no conflicts'),
    });
    const other = await skerry('data', 'conflicts', 'cart');
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('its rule is newest') });
  });

  it('copies that differ are found, with the keys in which they do', async () => {
    const { make, skerry, under, client } = cloud();
    await make('odd', { conflicts: 'newest' });
    await put('one', 'odd/k', 'v');
    await until('two', 'odd/k', 'v');
    const account = JSON.parse(
      await readFile(join(under.cloud.paths.site('two'), 'site.json'), 'utf8'),
    ).account;
    const { incarnation } = (await client.datasetWhere('test', 'odd')).dataset;
    const by = 'one.00000000000000aa';
    const state = { rule: 'newest', at: [1, 0], by, value: 'slipped in' };
    const records = [{ origin: by, key: 'only-here', write: 1, state }];
    const body = { project: 'test', name: 'odd', incarnation, after: 0, upTo: 1, records };
    under.admin.say(HUB.recordDelivery(account), body);
    await until('two', 'odd/only-here', 'slipped in');
    const { code, stdout, stderr } = await skerry('data', 'verify', 'odd');
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: expect.stringMatching(/only-here[^]*two +slipped in/),
      stderr: expect.stringContaining('the copies differ'),
    });
    await client.removeDataset('test', 'odd');
  });

  it('is copied into a file and out of it, and changes are seen as they come', async () => {
    const { make, skerry } = cloud();
    await make('from', { conflicts: 'newest' });
    await make('to', { conflicts: 'newest' });
    for (const key of ['a', 'b', 'c']) await put('one', `from/${key}`, `value of ${key}`);
    const file = join(tmpdir(), `skerry-copy-${process.pid}.jsonl`);
    const watch = await watching('to');
    try {
      const out = await skerry('data', 'copy', 'from', '--to', file, '--at', 'one');
      expect(out).toMatchObject({ code: 0, stdout: expect.stringContaining('3 keys of test/from') });
      const into = await skerry('data', 'copy', 'to', '--from', file, '--at', 'two');
      expect(into).toMatchObject({ code: 0, stdout: expect.stringContaining('3 keys are written') });
      await writeFile(file, '{"key": "d"\n');
      const wrong = await skerry('data', 'copy', 'to', '--from', file);
      expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/line 1 is no entry: no JSON/) });
      for (const key of ['a', 'b', 'c']) await until('far', `to/${key}`, `value of ${key}`);
      await eventually(
        () => (['a', 'b', 'c'].every((k) => watch.text().includes(`value of ${k}`)) ? true : undefined),
        {
          withinMs: WITHIN_MS,
          what: () => `the watcher tells: ${watch.text()}`,
        },
      );
    } finally {
      await watch.end();
      await rm(file, { force: true });
    }
  }, 30_000);

  it('a site whose disk is full refuses writes and says so, the others go on, and with room it goes on by itself', async () => {
    const { farDisk, skerry, client } = cloud();
    await farDisk.fill();
    let refused: { status: number; body: unknown } = { status: 200, body: undefined };
    // The last page of the file may still have room.
    for (let n = 0; n < 50 && refused.status === 200; n += 1)
      refused = await put('far', `cart/full-${n}`, 'x'.repeat(1_000));
    expect(refused).toMatchObject({
      status: 507,
      body: { code: 'storage-full', hint: expect.stringContaining('make room') },
    });
    await put('one', 'cart/meanwhile', 'y'.repeat(8_000));
    await until('two', 'cart/meanwhile', 'yyy');
    const state = await eventually(
      async () => {
        const { copies } = await client.datasetWhere('test', 'cart');
        const found: CopyState | undefined = copies.find(({ site }) => site === 'far')?.state;
        return found?.trouble === undefined ? undefined : found;
      },
      { withinMs: WITHIN_MS, what: 'the copy says what is wrong' },
    );
    expect(state.trouble).toMatch(/the disk takes no writes/);
    // A mark of a few bytes still fits now and then: until the next try to write more nothing is wrong.
    const far = await eventually(
      async () => {
        const lag = JSON.parse((await skerry('data', 'lag', 'cart', '--json')).stdout);
        const found = lag.sites.find((s: { site: string }) => s.site === 'far');
        return String(found.problem).includes('the disk takes no writes') ? found : undefined;
      },
      { withinMs: WITHIN_MS, what: 'the lag says what is wrong', everyMs: 200 },
    );
    expect(far.records).toBeGreaterThan(0);
    await farDisk.free();
    await until('far', 'cart/meanwhile', 'yyy');
    expect(await put('far', 'cart/full', 'room again')).toMatchObject({ status: 200 });
    await until('one', 'cart/full', 'room again');
  }, 60_000);

  /** `skerry data watch` at `far`, until ended. */
  async function watching(name: string): Promise<{ text: () => string; end: () => Promise<void> }> {
    const { home, context } = cloud().under.cloud.paths;
    const args = [CLI, 'data', 'watch', name, '--at', 'far'];
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, SKERRY_CONTEXT: context };
    const child = spawn(process.execPath, args, { env, cwd: home, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += String(chunk)));
    const ended = once(child, 'exit');
    // It says nothing until something changes: writes until it does.
    await eventually(
      async () => {
        await put('one', `${name}/begin`, String(Math.random()));
        return text.includes('begin') ? true : undefined;
      },
      { withinMs: WITHIN_MS, what: 'the watcher watches', everyMs: 200 },
    );
    return {
      text: () => text,
      end: async () => {
        child.kill('SIGINT');
        await ended;
      },
    };
  }
}
