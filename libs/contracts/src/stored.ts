import { z } from 'zod';
import { desiredSchema } from './desired.js';
import { observedSchema } from './observed.js';
import { parse, type Parsed } from './parse.js';
import { placementsValueSchema } from './placement.js';
import { announcedSchema } from './status.js';
import { HEADERS } from './subjects.js';
import { workloadSchema } from './workload.js';

type Headers = Readonly<Record<string, string>>;

/** Nouns that many apps read and that are not parsed again by each. */
const NOUNS = [workloadSchema, placementsValueSchema, desiredSchema, observedSchema, announcedSchema];

let made: Headers | undefined;

/**
 * Headers that say by which contracts a value was made: another text whenever a noun of `NOUNS` has other fields, types, limits
 * or defaults (rules written as functions do not show). Only the single
 * writer of a bucket or stream of the control plane puts them in, on values of a contract's type; nobody else may write
 * there, and what a site sends never keeps them. About 20 ms the first time.
 */
export function byContract(): Headers {
  made ??= { [HEADERS.contracts]: digestOf(JSON.stringify(NOUNS.map(jsonSchema))) };
  return made;
}

function jsonSchema(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
}

/** FNV-1a with 64 bits: tells apart what differs by accident, nothing more is needed. */
function digestOf(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i += 1)
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}

/**
 * What lies in a stream as the noun that it is. Written by the same contracts it was parsed where it entered, and only its
 * `kind` is looked at here; anything else (another version's, a tool's, a site's) is parsed in full.
 */
export function parseStored<T>(schema: z.ZodType<T>, value: unknown, headers: Headers): Parsed<T> {
  return isOurs(schema, value, headers) ? { ok: true, value } : parse(schema, value);
}

/** How a bucket of the control plane reads a noun, and what its owner adds to each write. */
export interface StoredAs<T> {
  /** Throws a `ZodError` for what is no such noun. */
  (value: unknown, headers?: Headers): T;
  readonly headers: Headers;
}

/** The reader of a noun for `Bus.bucket`: what was written by the same contracts is not parsed again. */
export function storedAs<T>(schema: z.ZodType<T>): StoredAs<T> {
  const read = (value: unknown, headers: Headers = {}) =>
    isOurs(schema, value, headers) ? value : schema.parse(value);
  return Object.assign(read, { headers: byContract() });
}

function isOurs<T>(schema: z.ZodType<T>, value: unknown, headers: Headers): value is T {
  const by = headers[HEADERS.contracts];
  if (by === undefined || by !== byContract()[HEADERS.contracts]) return false;
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  return covered().has(value.kind) && kindsOf(schema).has(value.kind);
}

let nouns: ReadonlySet<unknown> | undefined;

/** Kinds of `NOUNS`: of any other the headers say nothing. */
function covered(): ReadonlySet<unknown> {
  nouns ??= new Set(NOUNS.flatMap(kindsIn));
  return nouns;
}

const known = new WeakMap<z.ZodType, ReadonlySet<unknown>>();

/** Values of `kind` that a schema takes; none when it does not tell its nouns by one. */
function kindsOf(schema: z.ZodType): ReadonlySet<unknown> {
  const before = known.get(schema);
  if (before !== undefined) return before;
  const kinds = new Set(kindsIn(schema));
  known.set(schema, kinds);
  return kinds;
}

function kindsIn(schema: unknown): unknown[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(kindsIn);
  if (!(schema instanceof z.ZodObject)) return [];
  const kind: unknown = Reflect.get(schema.shape, 'kind');
  return kind instanceof z.ZodLiteral ? [...kind.values] : [];
}
