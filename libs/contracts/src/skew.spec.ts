import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { CATALOG, jsonSchemaOf, type CatalogName } from './catalog.js';
import { keysOf } from './primitives.js';
import { parseAcross } from './skew.js';
import { CROSSING } from './skew.suite.js';

/** Schemas of each released version, as they were generated then. */
const RELEASED = resolve(import.meta.dirname, '../released');
const previous = readdirSync(RELEASED)
  .toSorted((a, b) => a.localeCompare(b, undefined, { numeric: true }))
  .at(-1);
if (previous === undefined) throw new Error(`${RELEASED}: no released version`);

const released = (name: CatalogName): unknown =>
  JSON.parse(readFileSync(join(RELEASED, previous, `${name}.json`), 'utf8'));

describe('one version of difference between the centre and the agents', () => {
  for (const name of keysOf(CROSSING)) {
    const schema = CATALOG[name];

    it(`what this version writes, ${previous} reads: ${name}`, () => {
      const reader = z.fromJSONSchema(JSON.parse(JSON.stringify(released(name))));
      for (const example of knownTo(released(name), CROSSING[name])) {
        const read = parseAcross(reader, JSON.parse(JSON.stringify(example)));
        expect({ example, read }).toMatchObject({ read: { ok: true } });
      }
    });

    it(`what ${previous} wrote, this version reads: ${name}`, () => {
      const before = z.fromJSONSchema(JSON.parse(JSON.stringify(released(name))));
      for (const example of knownTo(released(name), CROSSING[name])) {
        const old = parseAcross(before, JSON.parse(JSON.stringify(example)));
        const now = old.ok ? parseAcross<unknown>(schema, old.value) : old;
        expect({ example, now }).toMatchObject({ now: { ok: true } });
      }
    });

    it(`the examples say every field of ${name}`, () => {
      const said = new Set<string>();
      for (const example of CROSSING[name]) fieldsOf(example, '', said);
      const known = new Set<string>();
      fieldsOfSchema(jsonSchemaOf(name), '', known);
      expect([...known].filter((field) => !said.has(field))).toEqual([]);
    });
  }

  it('nothing that a released version must have is optional to it and gone from this one', () => {
    for (const name of keysOf(CROSSING)) {
      const gone = new Set<string>();
      const now = new Set<string>();
      fieldsOfSchema(released(name), '', gone);
      fieldsOfSchema(jsonSchemaOf(name), '', now);
      expect({ name, gone: [...gone].filter((field) => !now.has(field)) }).toEqual({ name, gone: [] });
    }
  });
});

describe('fields of the next version', () => {
  const schema = z.strictObject({
    kind: z.literal('A'),
    inner: z.strictObject({ n: z.number().min(1) }).optional(),
    list: z.array(z.strictObject({ a: z.string() })).default([]),
    either: z.union([z.strictObject({ x: z.string() }), z.strictObject({ y: z.number() })]).optional(),
  });

  it('are left out wherever they are', () => {
    const next = {
      kind: 'A',
      later: 1,
      inner: { n: 2, later: [1] },
      list: [{ a: 'b', later: null }],
      either: { y: 1, later: true },
    };
    expect(parseAcross(schema, next)).toEqual({
      ok: true,
      value: { kind: 'A', inner: { n: 2 }, list: [{ a: 'b' }], either: { y: 1 } },
    });
    expect(next.later).toBe(1);
  });

  it('do not make a wrong value right, and what is wrong is named alone', () => {
    const parsed = parseAcross(schema, { kind: 'A', later: 1, inner: { n: 0 } });
    expect(parsed).toEqual({
      ok: false,
      issues: [{ path: 'inner.n', problem: 'too small', allowed: 'at least 1', value: '0' }],
    });
  });

  it('are refused when they are too many to be a newer version', () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`f${i}`, i]));
    expect(parseAcross(schema, { kind: 'A', ...many }).ok).toBe(false);
  });

  it('a name that objects have by themselves is a field like any other', () => {
    expect(parseAcross(schema, JSON.parse('{"kind":"A","__proto__":{"x":1},"constructor":2}'))).toMatchObject(
      {
        ok: true,
      },
    );
  });
});

/** Examples without those of a kind that came after: a site passes those over. */
function knownTo(schema: unknown, examples: readonly object[]): readonly object[] {
  const kinds = JSON.stringify(schema);
  return examples.filter((e) => !('kind' in e) || kinds.includes(`"const":${JSON.stringify(e.kind)}`));
}

/** Every field that a value has, as paths; places in a list are one. */
function fieldsOf(value: unknown, at: string, into: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) fieldsOf(item, at, into);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    into.add(`${at}${key}`);
    fieldsOf(inner, `${at}${key}.`, into);
  }
}

/** Every field that a JSON Schema names, as paths in the same way. */
function fieldsOfSchema(schema: unknown, at: string, into: Set<string>): void {
  if (typeof schema !== 'object' || schema === null) return;
  const { properties, items, anyOf, oneOf, allOf } = z
    .looseObject({
      properties: z.record(z.string(), z.unknown()).optional(),
      items: z.unknown().optional(),
      anyOf: z.array(z.unknown()).optional(),
      oneOf: z.array(z.unknown()).optional(),
      allOf: z.array(z.unknown()).optional(),
    })
    .parse(schema);
  for (const part of [...(anyOf ?? []), ...(oneOf ?? []), ...(allOf ?? [])]) fieldsOfSchema(part, at, into);
  if (items !== undefined) fieldsOfSchema(items, at, into);
  for (const [key, inner] of Object.entries(properties ?? {})) {
    into.add(`${at}${key}`);
    fieldsOfSchema(inner, `${at}${key}.`, into);
  }
}
