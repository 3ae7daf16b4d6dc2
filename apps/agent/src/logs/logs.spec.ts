import { appendFile, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { logPageSchema, SITE, type LogLine } from '@skerry/contracts';
import { HubStandIn } from '../hub-stand-in.suite.js';
import { assignment, eventually, QUIET, SiteUnderTest } from '../site-under-test.suite.js';
import { LogKeeper } from './log-keeper.js';
import { ends, MAX_LINE_CHARS, since, tail } from './log-reader.js';

describe('logs on the disk', () => {
  let folder: string;
  const source = () => ({ site: 's1', replica: 'r', folder });
  const keeper = (rotateBytes?: number) =>
    new LogKeeper({
      folders: () => [folder],
      log: QUIET,
      ...(rotateBytes === undefined ? {} : { rotateBytes }),
    });
  const out = () => join(folder, 'stdout.log');

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-logs-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('are exchanged when they are large, while the replica goes on writing to the same file', async () => {
    const file = await open(out(), 'a');
    const k = keeper(1_000);
    for (let n = 0; n < 5; n++) {
      await file.write(`${`line ${n} `.padEnd(600, '.')}\n`);
      await k.tick();
    }
    await file.close();
    expect((await stat(out())).size).toBeLessThan(1_000);
    const lines = await tail(source(), 100);
    expect(lines.map((l) => l.line.slice(0, 6))).toEqual(['line 0', 'line 1', 'line 2', 'line 3', 'line 4']);
    await expect(stat(`${out()}.3`)).rejects.toThrow('ENOENT');
  });

  it('tell lines by when they were seen, over both streams, and keep to the number asked for', async () => {
    const k = keeper();
    await writeFile(out(), 'first\n');
    await k.tick();
    await writeFile(join(folder, 'stdout.idx'), `6 ${Date.parse('2026-01-01T00:00:01.000Z')}\n`);
    await appendFile(out(), 'third\n');
    await appendFile(join(folder, 'stdout.idx'), `12 ${Date.parse('2026-01-01T00:00:03.000Z')}\n`);
    await writeFile(join(folder, 'stderr.log'), 'second\n');
    await writeFile(join(folder, 'stderr.idx'), `7 ${Date.parse('2026-01-01T00:00:02.000Z')}\n`);
    const lines = await tail(source(), 2);
    expect(lines.map(({ at, stream, line }) => ({ at, stream, line }))).toEqual([
      { at: '2026-01-01T00:00:02.000Z', stream: 'stderr', line: 'second' },
      { at: '2026-01-01T00:00:03.000Z', stream: 'stdout', line: 'third' },
    ]);
  });

  it('give a follower each whole line once, over an exchange too', async () => {
    await writeFile(out(), 'old\n');
    let position = await ends(source());
    const read = async () => {
      const got = await since(source(), position);
      ({ position } = got);
      return got.lines.map((l) => l.line);
    };
    await appendFile(out(), 'one\ntw');
    expect(await read()).toEqual(['one']);
    await appendFile(out(), 'o\n');
    expect(await read()).toEqual(['two']);
    await keeper(1).tick();
    await appendFile(out(), 'x\n');
    expect(await read()).toEqual(['x']);
    expect(await readFile(`${out()}.1`, 'utf8')).toContain('old');
  });

  it('cut what is longer than a line may be', async () => {
    await writeFile(out(), `${'a'.repeat(3 * MAX_LINE_CHARS)}\n`);
    expect((await tail(source(), 1))[0]?.line).toHaveLength(MAX_LINE_CHARS);
  });
});

describe('a request for logs', () => {
  it('is answered with the last lines, then with those that follow', async () => {
    const site = await SiteUnderTest.make();
    await site.startServer();
    const hub = await HubStandIn.at(site);
    try {
      await site.startAgent();
      const command = [
        process.execPath,
        '-e',
        'let n = 0; setInterval(() => console.log(`line ${n++}`), 50)',
      ];
      hub.want(assignment('web', { run: { command } }));
      await hub.running('web');
      const lines: LogLine[] = [];
      let done = false;
      hub.bus.listen(SITE.answer('a'.repeat(16)), (m) => {
        const page = logPageSchema.parse(m.json());
        lines.push(...page.lines);
        done ||= page.done;
      });
      hub.bus.say(SITE.request('logs'), {
        id: 'a'.repeat(16),
        project: 'shop',
        name: 'web',
        tail: 5,
        follow: true,
      });
      await eventually('twenty lines', () => lines.length > 20);
      const numbers = lines.map((l) => Number(l.line.slice(5)));
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(lines[0]).toMatchObject({ site: 's1', replica: 'shop.web.s1.0', stream: 'stdout' });
      expect(done).toBe(false);
    } finally {
      await hub.bus.close();
      await site.close();
    }
  });
});
