import { z } from 'zod';

/** Names that one answer lists. */
const NAMES = 30;
/** How deep a field is looked for that was written elsewhere. */
const DEPTH = 5;

type Path = readonly PropertyKey[];

/** What may be written in place of a field that is not known: where it belongs, or the fields that there are. Undefined for none. */
export function insteadOf(
  schema: z.core.$ZodType,
  { path, name, object }: { path: Path; name: string; object: unknown },
): string | undefined {
  const place = placeOf(schema, name, path);
  if (place !== undefined) return place;
  const all = objectsAt(schema, path);
  const alike = all.filter((one) => isAlike(one, object));
  const names = new Set((alike.length > 0 ? alike : all).flatMap((one) => Object.keys(one.shape)));
  if (names.size === 0) return undefined;
  return `${[...names].slice(0, NAMES).join(', ')}${names.size > NAMES ? ', …' : ''}`;
}

/** Where there is a field of this name, the nearest to a path. */
function placeOf(schema: z.core.$ZodType, name: string, near: Path): string | undefined {
  const places = (INDEXED.get(schema) ?? indexed(schema)).get(name) ?? [];
  const [nearest] = places.toSorted((a, b) => apart(a, [...near, name]) - apart(b, [...near, name]));
  return nearest?.join('.');
}

type Index = Map<string, string[][]>;

/** Where each name is a field: the same for all that a schema refuses. */
const INDEXED = new WeakMap<z.core.$ZodType, Index>();

function indexed(schema: z.core.$ZodType): Index {
  const index: Index = new Map();
  const look = (at: z.core.$ZodType, path: string[]) => {
    if (path.length >= DEPTH) return;
    for (const object of unwrapped(at).filter((inner) => inner instanceof z.ZodObject))
      for (const [field, inner] of Object.entries(object.shape)) {
        const here = [...path, field];
        index.set(field, [...(index.get(field) ?? []), here]);
        look(inner, here);
      }
  };
  look(schema, []);
  INDEXED.set(schema, index);
  return index;
}

/** Steps up and down from one place to another. */
function apart(a: Path, b: Path): number {
  let same = 0;
  while (same < a.length && a[same] === b[same]) same += 1;
  return a.length + b.length - 2 * same;
}

function objectsAt(schema: z.core.$ZodType, path: Path): z.ZodObject[] {
  let at = unwrapped(schema);
  for (const step of path) at = at.flatMap((inner) => childOf(inner, step)).flatMap(unwrapped);
  return at.filter((inner) => inner instanceof z.ZodObject);
}

/** Whether a value may be meant as this one of several alternatives: what has one value only is as it says. */
function isAlike({ shape }: z.ZodObject, object: unknown): boolean {
  const given = (field: string): unknown =>
    typeof object === 'object' && object !== null ? Reflect.get(object, field) : undefined;
  return Object.entries(shape).every(
    ([field, inner]) =>
      !(inner instanceof z.ZodLiteral) || [...inner.values].some((value) => value === given(field)),
  );
}

function childOf(schema: z.core.$ZodType, step: PropertyKey): z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) {
    const child = schema.shape[String(step)];
    return child === undefined ? [] : [child];
  }
  if (schema instanceof z.ZodArray) return [schema.element];
  return schema instanceof z.ZodRecord ? [schema.valueType] : [];
}

/** What it is without what is around it; each alternative of a union. */
function unwrapped(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodLazy
  )
    return unwrapped(schema.unwrap());
  if (schema instanceof z.ZodPipe) return unwrapped(schema.in);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(unwrapped);
  return [schema];
}
