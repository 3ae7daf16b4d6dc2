import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { parse } from './parse.js';
import { datasetDocumentSchema } from './dataset.js';

const schema = z.strictObject({
  run: z.strictObject({ command: z.array(z.string()), port: z.number().optional() }).default({ command: [] }),
  steps: z.array(z.strictObject({ name: z.string() })).optional(),
  each: z.record(z.string(), z.strictObject({ size: z.number() })).optional(),
  how: z.union([z.string(), z.strictObject({ fast: z.boolean() })]).optional(),
  inner: z.strictObject({ deep: z.strictObject({ port: z.number() }).optional() }).optional(),
});

const allowedFor = (input: unknown) => {
  const parsed = parse(schema, input);
  return parsed.ok ? [] : parsed.issues.map(({ path, allowed }) => [path, allowed]);
};

describe('a field that is not known', () => {
  it('is told with where it belongs, the nearest place first', () => {
    expect(allowedFor({ port: 80 })).toEqual([['port', 'run.port']]);
    expect(allowedFor({ inner: { port: 80 } })).toEqual([['inner.port', 'inner.deep.port']]);
  });

  it('is told with the fields that there are', () => {
    expect(allowedFor({ colour: 1 })).toEqual([['colour', 'run, steps, each, how, inner']]);
    expect(allowedFor({ steps: [{ name: 'a', x: 1 }] })).toEqual([['steps[0].x', 'name']]);
    expect(allowedFor({ each: { a: { size: 1, x: 1 } } })).toEqual([['each.a.x', 'size']]);
    expect(allowedFor({ how: { fast: true, x: 1 } })).toEqual([['how.x', 'fast']]);
  });

  it('is told with the fields of the alternative that is meant', () => {
    const verbs = z.discriminatedUnion('verb', [
      z.strictObject({ verb: z.literal('get'), key: z.string() }),
      z.strictObject({ verb: z.literal('put'), key: z.string(), value: z.string() }),
    ]);
    const parsed = parse(verbs, { verb: 'get', key: 'a', kee: 'a' });
    expect(parsed).toMatchObject({ issues: [{ path: 'kee', allowed: 'verb, key' }] });
  });

  it('costs little, however many there are, and twenty of an object are told one by one', () => {
    const spec = Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`x${n}`, n]));
    const metadata = { name: 'a', project: 'p' };
    const beganAt = performance.now();
    const parsed = parse(datasetDocumentSchema, { apiVersion: 'skerry/v1', kind: 'Dataset', metadata, spec });
    expect(performance.now() - beganAt).toBeLessThan(1_000);
    const issues = parsed.ok ? [] : parsed.issues;
    expect(issues.filter(({ problem }) => problem === 'unknown field')).toHaveLength(20);
    expect(issues).toContainEqual({ path: 'spec', problem: '59980 more unknown fields' });
  });
});
