/** Something that was looked for in an entry's value; or what is wrong with that. */
export type Found<T> = { ok: true; value: T } | { ok: false; problem: string; allowed: string };

const SENSOR_CHARS = 200;

/** The number that an entry's value is, or that its member is. */
export function numberIn(value: string, field: string | undefined): Found<number> {
  const member = memberOf(value, field);
  if (!member.ok) return member;
  const number = typeof member.value === 'string' && field === undefined ? ofText(value) : member.value;
  if (typeof number === 'number' && Number.isFinite(number)) return { ok: true, value: number };
  return {
    ok: false,
    problem: `${subject(field)} is no number`,
    allowed: 'a number, by the rule of this log',
  };
}

/** What an entry's value is, or its member, as text that is the same for the same. */
export function textIn(value: string, field: string | undefined): Found<string> {
  const member = memberOf(value, field);
  if (!member.ok) return member;
  return { ok: true, value: field === undefined ? value : (JSON.stringify(member.value) ?? 'null') };
}

/** The name of the sensor that an entry is of. */
export function sensorIn(value: string, field: string): Found<string> {
  const member = memberOf(value, field);
  if (!member.ok) return member;
  const sensor = member.value;
  const name = typeof sensor === 'string' ? sensor : typeof sensor === 'number' ? String(sensor) : undefined;
  if (name !== undefined && name.length > 0 && name.length <= SENSOR_CHARS) return { ok: true, value: name };
  return {
    ok: false,
    problem: `${subject(field)} names no sensor`,
    allowed: `a number, or text of 1 to ${SENSOR_CHARS} characters`,
  };
}

function memberOf(value: string, field: string | undefined): Found<unknown> {
  if (field === undefined) return { ok: true, value };
  const object = parsed(value);
  if (typeof object === 'object' && object !== null && Object.hasOwn(object, field))
    return { ok: true, value: new Map<string, unknown>(Object.entries(object)).get(field) };
  return {
    ok: false,
    problem: `the value has no member "${field}"`,
    allowed: `a JSON object with "${field}", by the rule of this log`,
  };
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function ofText(text: string): number | undefined {
  return text.trim() === '' ? undefined : Number(text);
}

function subject(field: string | undefined): string {
  return field === undefined ? 'the value' : `"${field}"`;
}
