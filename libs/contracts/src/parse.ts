import type { z } from 'zod';
import type { Issue } from './errors.js';
import { insteadOf } from './known-fields.js';

export type Parsed<T> = { ok: true; value: T } | { ok: false; issues: Issue[] };

/** Parses `input` once at the edge; on failure every issue with its path, the value given and what is allowed. */
export function parse<T>(schema: z.ZodType<T>, input: unknown): Parsed<T> {
  const result = schema.safeParse(input, { reportInput: true });
  return result.success
    ? { ok: true, value: result.data }
    : { ok: false, issues: tightest(result.error.issues.flatMap((i) => issuesOf(i, { schema, input }))) };
}

/** Of two bounds that one value breaks on the same side, the last: a number's own limit comes after that of all integers. */
function tightest(issues: Issue[]): Issue[] {
  const bound = (i: Issue) => i.problem === 'too large' || i.problem === 'too small';
  return issues.filter(
    (issue, n) =>
      !bound(issue) ||
      !issues.slice(n + 1).some((later) => later.path === issue.path && later.problem === issue.problem),
  );
}

/** What was parsed, and by what. */
interface Whole {
  schema: z.core.$ZodType;
  input: unknown;
}

function issuesOf(issue: z.core.$ZodIssue, whole: Whole): Issue[] {
  const { input: root } = whole;
  const path = formatPath(issue.path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownFields(issue, whole);
    case 'invalid_type':
      return [
        {
          path,
          problem: issue.input === undefined ? 'missing' : 'wrong type',
          allowed: issue.expected,
          ...valueOf(issue, root),
        },
      ];
    case 'invalid_value':
      return [
        {
          path,
          problem: 'not allowed',
          allowed: issue.values.map((v) => String(v)).join(', '),
          ...valueOf(issue, root),
        },
      ];
    case 'too_big':
      return [
        {
          path,
          problem: 'too large',
          allowed: `at most ${issue.maximum}${unit(issue.origin)}`,
          ...valueOf(issue, root),
        },
      ];
    case 'too_small':
      return [
        {
          path,
          problem: 'too small',
          allowed: `at least ${issue.minimum}${unit(issue.origin)}`,
          ...valueOf(issue, root),
        },
      ];
    case 'invalid_union': {
      const inner = nearest(issue.errors);
      // None of them came into the value: what all of them allow, when the schema says it.
      if (issue.message !== UNTOLD && inner.every((i) => i.path.length === 0))
        return [{ path, problem: 'not allowed', allowed: issue.message, ...valueOf(issue, root) }];
      const nested = inner.flatMap((i) => issuesOf({ ...i, path: [...issue.path, ...i.path] }, whole));
      return nested.length > 0 ? nested : [{ path, problem: issue.message, ...valueOf(issue, root) }];
    }
    default:
      return [{ path, problem: 'not allowed', allowed: issue.message, ...valueOf(issue, root) }];
  }
}

/** Unknown fields of one object that are told one by one: nobody mends more by hand, and a stranger may send any number. */
const FIELDS = 20;

function unknownFields({ keys, path }: z.core.$ZodIssueUnrecognizedKeys, whole: Whole): Issue[] {
  const object = at(whole.input, path);
  const inside = formatPath(path);
  const issues = keys.slice(0, FIELDS).map((key): Issue => {
    const allowed = insteadOf(whole.schema, { path, name: key, object });
    return {
      path: inside === '' ? key : `${inside}.${key}`,
      problem: 'unknown field',
      value: show(at(object, [key])),
      ...(allowed !== undefined && { allowed }),
    };
  });
  if (keys.length > FIELDS)
    issues.push({ path: inside, problem: `${keys.length - FIELDS} more unknown fields` });
  return issues;
}

/** What a union says that has no message of its own. */
const UNTOLD = 'Invalid input';

/** What is wrong with the alternative that came nearest: where it went deeper into the value, then with the fewest issues. */
function nearest(errors: readonly z.core.$ZodIssue[][]): readonly z.core.$ZodIssue[] {
  const depth = (issues: readonly z.core.$ZodIssue[]) => Math.max(...issues.map((i) => i.path.length));
  const [first] = errors
    .filter((e) => e.length > 0)
    .toSorted((a, b) => depth(b) - depth(a) || a.length - b.length);
  return first ?? [];
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' || origin === 'set' ? ' items' : '';
}

function valueOf(issue: z.core.$ZodIssue, root: unknown): { value?: string } {
  const given = issue.input ?? at(root, issue.path);
  return given === undefined ? {} : { value: show(given) };
}

function at(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (v, key) => (typeof v === 'object' && v !== null ? Reflect.get(v, key) : undefined),
    root,
  );
}

function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((p, i) => (typeof p === 'number' ? `[${p}]` : `${i === 0 ? '' : '.'}${String(p)}`))
    .join('');
}

const SHOWN_CHARS = 120;

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v)) ?? String(value);
  } catch {
    // A cycle, or a `toJSON` that throws.
    return Object.prototype.toString.call(value);
  }
}

/** A value as one printable line: control characters escaped, cut at 120 characters. */
export function show(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : textOf(value);
  const safe = text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\u2028\u2029]/gu,
    (c) => `\\u${c.codePointAt(0)?.toString(16).padStart(4, '0')}`,
  );
  return safe.length > SHOWN_CHARS ? `${safe.slice(0, SHOWN_CHARS)}…` : safe;
}
