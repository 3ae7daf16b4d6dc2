import { createHash } from 'node:crypto';

/** SHA-256 over the JSON of a value whose parsed order of keys is fixed by its schema. */
export function digestOf(value: unknown): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('hex')}`;
}
