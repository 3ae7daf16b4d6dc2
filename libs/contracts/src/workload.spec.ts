import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { LIMITS } from './limits.js';
import { parse, show } from './parse.js';
import { workloadDocumentSchema } from './workload.js';

const good = {
  apiVersion: 'skerry/v1',
  kind: 'Workload',
  metadata: { name: 'web' },
  spec: { run: { command: ['node', 'server.mjs'] } },
};
const withSpec = (spec: object) => ({ ...good, spec: { ...good.spec, ...spec } });
const issuesOf = (input: unknown) => {
  const parsed = parse(workloadDocumentSchema, input);
  return parsed.ok ? [] : parsed.issues;
};

describe('a workload document', () => {
  it('needs little, and every default is filled in', () => {
    const parsed = workloadDocumentSchema.parse(good);
    expect(parsed.metadata).toEqual({ name: 'web', project: 'default', labels: {} });
    expect(parsed.spec).toMatchObject({
      type: 'service',
      resources: { cpuMillicores: 100, memoryMiB: 64, diskMiB: 0 },
      placement: { replicas: 1, onSiteLoss: { orphan: 'keep', rejoin: 'keep-original' } },
      run: { driver: 'process', stop: { signal: 'SIGTERM', graceMs: 10_000 } },
    });
  });

  it('says what is allowed of what happens when a site is lost', () => {
    const refused = (onSiteLoss: unknown) =>
      issuesOf({ ...good, spec: { ...good.spec, placement: { onSiteLoss } } });
    const at = (field: string) => `spec.placement.onSiteLoss.${field}`;
    expect(refused({ replaceAfterMs: 2_999 })).toEqual([
      { path: at('replaceAfterMs'), problem: 'too small', value: '2999', allowed: 'at least 3000' },
    ]);
    expect(refused({ orphan: { stopAfterMs: 9_999 } })).toEqual([
      { path: at('orphan.stopAfterMs'), problem: 'too small', value: '9999', allowed: 'at least 10000' },
    ]);
    expect(refused({ orphan: 'sotp' })).toEqual([
      {
        path: at('orphan'),
        problem: 'not allowed',
        value: '"sotp"',
        allowed: 'keep, stop, {stopAfterMs: 10000 to 2592000000}',
      },
    ]);
    expect(refused({ rejoin: 'keep-both' })).toEqual([
      {
        path: at('rejoin'),
        problem: 'not allowed',
        value: '"keep-both"',
        allowed: 'keep-original, keep-replacement, keep-newest',
      },
    ]);
    expect(
      refused({ replaceAfterMs: 3_000, orphan: { stopAfterMs: 10_000 }, rejoin: 'keep-newest' }),
    ).toEqual([]);
    expect(refused({ replaceAfterMs: 30 * 86_400_000, orphan: 'stop' })).toEqual([]);
  });

  it('is refused with all that is wrong at once: the path, the value and what is allowed', () => {
    const issues = issuesOf({
      apiVersion: 'skerry/v2',
      kind: 'Workload',
      metadata: { name: 'Web_1' },
      spec: {
        type: 'deamon',
        run: { command: [], env: { '1X': 'y' } },
        resources: { cpuMillicores: '500m', memoryMiB: -1 },
        placement: { replicas: 1.5, residency: { allow: ['EU'] } },
        replicas: 3,
      },
    });
    expect(issues).toEqual(
      expect.arrayContaining([
        { path: 'apiVersion', problem: 'not allowed', value: '"skerry/v2"', allowed: 'skerry/v1' },
        expect.objectContaining({ path: 'metadata.name', value: '"Web_1"' }),
        {
          path: 'spec.type',
          problem: 'not allowed',
          value: '"deamon"',
          allowed: 'service, job, cron, daemon, singleton',
        },
        { path: 'spec.run.command', problem: 'too small', value: '[]', allowed: 'at least 1 items' },
        { path: 'spec.resources.cpuMillicores', problem: 'wrong type', value: '"500m"', allowed: 'number' },
        { path: 'spec.resources.memoryMiB', problem: 'too small', value: '-1', allowed: 'at least 0' },
        { path: 'spec.placement.replicas', problem: 'wrong type', value: '1.5', allowed: 'int' },
        expect.objectContaining({ path: 'spec.placement.residency.allow[0]', value: '"EU"' }),
        { path: 'spec.replicas', problem: 'unknown field', value: '3', allowed: 'spec.placement.replicas' },
      ]),
    );
    expect(issues.some((i) => i.path.startsWith('spec.run.env'))).toBe(true);
  });

  it('says what is missing', () => {
    expect(issuesOf({ ...good, spec: undefined })).toMatchObject([{ path: 'spec', problem: 'missing' }]);
    expect(issuesOf({ ...good, spec: { run: {} } })).toMatchObject([{ path: 'spec.run.command' }]);
    for (const nothing of [undefined, null, 7, 'text', []]) expect(issuesOf(nothing)).not.toEqual([]);
  });

  it('takes no number that is none', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, -0.5, 2 ** 60, '3', null]) {
      expect(issuesOf(withSpec({ placement: { replicas: bad } }))).toMatchObject([
        { path: 'spec.placement.replicas' },
      ]);
      expect(
        issuesOf(withSpec({ placement: { budgetPerMonth: bad === 2 ** 60 ? 1e13 : bad } })),
      ).toMatchObject([{ path: 'spec.placement.budgetPerMonth' }]);
    }
  });

  it('takes no other name than a DNS label', () => {
    for (const name of [
      '',
      '-a',
      'a-',
      'a.b',
      'A',
      'a b',
      'ä',
      'a\u0000',
      '*',
      '>',
      'a'.repeat(LIMITS.nameChars + 1),
    ]) {
      expect(issuesOf({ ...good, metadata: { name } }).map((i) => i.path)).toContain('metadata.name');
    }
  });

  it('takes no path out of the replica folder', () => {
    for (const path of ['/etc/passwd', '../x', 'a/../../x', 'a//b', '.', '..', 'a/..', 'a\u0000b', '']) {
      const run = { ...good.spec.run, files: [{ path, content: '' }] };
      expect(issuesOf(withSpec({ run })).map((i) => i.path)).toContain('spec.run.files[0].path');
    }
    const run = { ...good.spec.run, files: [{ path: 'conf/app..d/x.json', content: '' }] };
    expect(issuesOf(withSpec({ run }))).toEqual([]);
  });

  it('takes no key that would reach into the prototype of an object', () => {
    const hostile: unknown = JSON.parse(
      '{"apiVersion":"skerry/v1","kind":"Workload","metadata":{"name":"web","labels":{"__proto__":"x"}},' +
        '"spec":{"run":{"command":["x"],"env":{"__proto__":"polluted"}},"__proto__":{"type":"job"}}}',
    );
    const parsed = parse(workloadDocumentSchema, hostile);
    expect(parsed.ok).toBe(false);
    expect(Object.hasOwn(Object.prototype, 'type')).toBe(false);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  it('takes no environment that the agent gives itself, and no port or file named twice', () => {
    const run = {
      ...good.spec.run,
      env: { SKERRY_SITE: 'x' },
      ports: [{ name: 'http' }, { name: 'http' }],
      files: [
        { path: 'a', content: '' },
        { path: 'a', content: '' },
      ],
    };
    expect(issuesOf(withSpec({ run })).map((i) => i.path)).toEqual(
      expect.arrayContaining(['spec.run.env', 'spec.run.ports', 'spec.run.files']),
    );
  });

  it('needs a health check of one kind, on a port that is there', () => {
    const run = { ...good.spec.run, ports: [{ name: 'http' }] };
    expect(issuesOf(withSpec({ run, health: { http: { path: '/', port: 'http' } } }))).toEqual([]);
    expect(issuesOf(withSpec({ run, health: { http: { path: '/', port: 'web' } } }))).toMatchObject([
      { path: 'spec.health.http.port', allowed: 'one of run.ports: http' },
    ]);
    const two = { tcp: { port: 'http' }, exec: { command: ['true'] } };
    expect(issuesOf(withSpec({ run, health: two }))).toMatchObject([
      { path: 'spec.health', allowed: 'exactly one of http, tcp, exec' },
    ]);
  });

  it('refuses a residency rule that contradicts itself', () => {
    const residency = { allow: ['eu'], deny: ['eu'] };
    expect(issuesOf(withSpec({ placement: { residency } }))).toMatchObject([
      { path: 'spec.placement.residency', allowed: 'no jurisdiction both allowed and denied' },
    ]);
  });

  it('refuses anything without a throw, and reads what it accepted again unchanged', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), fc.object(), (input, spec) => {
        expect(parse(workloadDocumentSchema, input).ok).toBe(false);
        expect(Array.isArray(issuesOf(withSpec(spec)))).toBe(true);
      }),
    );
    const once = workloadDocumentSchema.parse(good);
    expect(workloadDocumentSchema.parse(JSON.parse(JSON.stringify(once)))).toEqual(once);
  });
});

describe('parse', () => {
  it('says what is wrong of a value that holds itself', () => {
    const cycle: Record<string, unknown> = { ...good };
    cycle['spec'] = cycle;
    expect(issuesOf(cycle).length).toBeGreaterThan(0);
    expect(issuesOf({ ...good, kind: [cycle] })).toMatchObject([{ path: 'kind', value: '[object Array]' }]);
  });
});

describe('show', () => {
  it('is one printable line of at most 121 characters, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: false }), (value) => {
        const text = show(value);
        expect(text.length).toBeLessThanOrEqual(121);
        expect(text).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u);
      }),
    );
    expect(show('\u001b[31mred\u202e')).toBe('"\\u001b[31mred\\u202e"');
    expect(show(Number.NaN)).toBe('NaN');
    expect(show('x'.repeat(500))).toHaveLength(121);
  });
});
