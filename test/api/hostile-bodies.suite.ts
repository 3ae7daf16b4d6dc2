import { describe, expect, it } from '@jest/globals';
import { LIMITS } from '@skerry/contracts';
import { apply, problemOf, YAML } from './api-calls.js';
import type { ApiCloud } from './api-cloud.js';
import { yamlOf } from './stand-ins.js';

const SECOND_MS = 1_000;

/** Registers the cases: what is too large, too deep or no document is refused, and what is only odd is taken. */
export function hostileBodies(cloud: () => ApiCloud): void {
  describe('hostile bodies', () => {
    const laughs = [
      'a0: &a0 [x, x]',
      ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`),
    ];
    it.each<[string, string | Uint8Array, number, string]>([
      ['YAML that doubles itself (billion laughs)', laughs.join('\n'), 413, 'too-large'],
      ['10,000 levels of nesting', '['.repeat(10_000), 413, 'too-large'],
      ['10,000 levels of nesting in blocks', `a:\n  ${'- '.repeat(10_000)}x`, 413, 'too-large'],
      ['100,000 mistakes', '}'.repeat(100_000), 400, 'malformed'],
      [
        'a mapping of 20,000 keys',
        Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n'),
        413,
        'too-large',
      ],
      ['10 MB', 'a'.repeat(10_000_000), 413, 'too-large'],
      ['a NUL character', `${yamlOf('nul')}# \0`, 400, 'malformed'],
      ['a NUL written as an escape', yamlOf('nul').replace('node,', '"a\\0b",'), 422, 'invalid'],
      ['a key that is a list', '? [a]\n: b', 400, 'malformed'],
      [
        'a key that is there twice',
        yamlOf('twice').replace('  project: shop', '  project: shop\n  project: bank'),
        400,
        'malformed',
      ],
      ['a tag', 'a: !!js/function "return 1"', 400, 'malformed'],
      ['an anchor that holds itself', '&a [*a]', 422, 'invalid'],
      ['257 documents', Array.from({ length: 257 }, () => 'a: 1').join('\n---\n'), 413, 'too-large'],
      ['bytes that are no UTF-8', new Uint8Array([0x61, 0xff, 0xfe]), 400, 'malformed'],
      ['the same workload twice', `${yamlOf('same')}---\n${yamlOf('same')}`, 422, 'invalid'],
      ['nothing', '', 422, 'invalid'],
      ['a document that is no mapping', '42', 422, 'invalid'],
      ['another kind', 'apiVersion: skerry/v1\nkind: Pod', 422, 'invalid'],
      ['a number that is none', yamlOf('nan', '.nan'), 422, 'invalid'],
      ['a name with a path in it', yamlOf('x').replace('name: x', 'name: ../../etc/passwd'), 422, 'invalid'],
    ])('refuses %s within a second', async (_what, body, status, code) => {
      const tookMs: number[] = [];
      // What really costs a second costs it each time; a machine that stands still for a moment does so once.
      while (tookMs.length < 3 && !tookMs.some((ms) => ms < SECOND_MS)) {
        const began = performance.now();
        const problem = await problemOf(await apply(cloud(), body));
        tookMs.push(performance.now() - began);
        expect({ status: problem.status, code: problem.code }).toEqual({ status, code });
      }
      expect(Math.min(...tookMs)).toBeLessThan(SECOND_MS);
    });

    it.each(['__proto__', 'constructor', 'toString'])(
      'takes the key %s for an unknown field, not for JavaScript',
      async (key) => {
        const text = `{"apiVersion":"skerry/v1","kind":"Workload","metadata":{"name":"proto"},"spec":{"run":{"command":["a"]},"${key}":{"polluted":true}}}`;
        for (const headers of [YAML, { 'content-type': 'application/json' }]) {
          const body = headers === YAML ? text : `{"documents":[${text}]}`;
          const { issues } = await problemOf(await apply(cloud(), body, headers));
          expect(issues).toEqual([
            expect.objectContaining({ problem: 'unknown field', path: expect.stringContaining(key) }),
          ]);
        }
        expect(Reflect.get({}, 'polluted')).toBeUndefined();
      },
    );

    it('keeps answering while it refuses them', async () => {
      const hostile = Promise.all(Array.from({ length: 10 }, () => apply(cloud(), laughs.join('\n'))));
      expect((await cloud().fetch('/healthz')).status).toBe(200);
      await hostile;
    });

    it('refuses what is no document by its media type, and says what is taken', async () => {
      const problem = await problemOf(
        await apply(cloud(), 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }),
      );
      expect(problem).toMatchObject({ code: 'malformed', hint: expect.stringContaining('text/yaml') });
    });

    it('takes odd but honest text: other scripts, emoji, a byte order mark, tabs in JSON', async () => {
      const text = `\ufeff${yamlOf('odd').replace('node,', '"größe 🏝️ 日本",')}`;
      expect((await apply(cloud(), text)).status).toBe(200);
      const json = JSON.stringify(
        {
          apiVersion: 'skerry/v1',
          kind: 'Workload',
          metadata: { name: 'tabs', project: 'shop' },
          spec: { run: { command: ['a'] } },
        },
        null,
        '\t',
      );
      expect((await apply(cloud(), json)).status).toBe(200);
    });
  });

  describe('limits', () => {
    it('takes documents of the largest size that is said', async () => {
      const filler = `# ${'x'.repeat(1_000)}\n`.repeat(700);
      const text = `${yamlOf('large')}${filler}`;
      expect(text.length).toBeLessThan(LIMITS.documentBytes);
      expect((await apply(cloud(), text)).status).toBe(200);
      const over = await apply(cloud(), `${text}${'# y\n'.repeat(40_000)}`);
      expect(await problemOf(over)).toMatchObject({
        code: 'too-large',
        hint: expect.stringContaining('documentBytes'),
      });
    });
  });
}
