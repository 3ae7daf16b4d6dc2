import type { z } from 'zod';
import { parse, type Parsed } from './parse.js';

/** Rounds of leaving out: a field inside one that was unknown to a union's branch may only show after it. */
const MAX_ROUNDS = 4;
/** Fields left out of one message; more is not a newer version but something else. */
const MAX_LEFT_OUT = 64;

/**
 * Parses what the other side of the hub wrote, which may be one version ahead: fields that this version does not know are left
 * out, everything else is as strict as ever. For messages between the centre and the agents alone; what people write is
 * refused for an unknown field, since it may be a slip of the pen.
 */
export function parseAcross<T>(schema: z.ZodType<T>, input: unknown): Parsed<T> {
  const first = schema.safeParse(input);
  if (first.success) return { ok: true, value: first.data };
  const copy: unknown = structuredClone(input);
  let { issues } = first.error;
  let leftOut = 0;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const unknown = issues.flatMap((issue) => unknownFields(issue));
    leftOut += unknown.length;
    if (unknown.length === 0 || leftOut > MAX_LEFT_OUT) break;
    for (const path of unknown) leaveOut(copy, path);
    const again = schema.safeParse(copy);
    if (again.success) return { ok: true, value: again.data };
    issues = again.error.issues;
  }
  return parse(schema, copy);
}

type Path = readonly PropertyKey[];

/** Paths of fields that nothing in the schema knows. Of a union, those of the branch that objects to the least. */
function unknownFields(issue: z.core.$ZodIssue): Path[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => [...issue.path, key]);
  if (issue.code !== 'invalid_union') return [];
  const nearest = issue.errors
    .filter((errors) => errors.length > 0 && errors.every((e) => e.code === 'unrecognized_keys'))
    .toSorted((a, b) => a.length - b.length)[0];
  return (nearest ?? []).flatMap((inner) =>
    unknownFields({ ...inner, path: [...issue.path, ...inner.path] }),
  );
}

function leaveOut(root: unknown, path: Path): void {
  const parent = path
    .slice(0, -1)
    .reduce<unknown>((at, key) => (isObject(at) ? Reflect.get(at, key) : undefined), root);
  const last = path.at(-1);
  if (isObject(parent) && last !== undefined) Reflect.deleteProperty(parent, last);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
