/** What a nats-server configuration is made of. Absent members are left out. */
export type ConfValue = string | number | boolean | readonly ConfValue[] | ConfBlock;
export interface ConfBlock {
  readonly [key: string]: ConfValue | undefined;
}

const BARE_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;
const CONTROL = /[\u0000-\u001f\u007f]/; // oxlint-disable-line no-control-regex -- these are what must not pass

/**
 * The text of a nats-server configuration. Every string and unusual key is quoted and escaped, so no value can
 * end its string, add a setting or name a variable. Throws for a control character or a number that is not finite.
 */
export function confText(block: ConfBlock): string {
  return members(block, '');
}

function members(block: ConfBlock, indent: string): string {
  return Object.entries(block)
    .map(([key, value]) => (value === undefined ? '' : `${indent}${keyText(key)}: ${text(value, indent)}\n`))
    .join('');
}

function text(value: ConfValue, indent: string): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return numberText(value);
  if (isList(value)) return listText(value, indent);
  return `{\n${members(value, `${indent}  `)}${indent}}`;
}

function listText(list: readonly ConfValue[], indent: string): string {
  if (list.length === 0) return '[]';
  const inner = `${indent}  `;
  return `[\n${list.map((item) => `${inner}${text(item, inner)}\n`).join('')}${indent}]`;
}

function isList(value: readonly ConfValue[] | ConfBlock): value is readonly ConfValue[] {
  return Array.isArray(value);
}

function numberText(value: number): string {
  if (!Number.isSafeInteger(value)) throw new Error(`not a whole number: ${value}`);
  return String(value);
}

function keyText(key: string): string {
  return BARE_KEY.test(key) ? key : quoted(key);
}

function quoted(value: string): string {
  if (CONTROL.test(value)) throw new Error('a configuration value holds a control character');
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
