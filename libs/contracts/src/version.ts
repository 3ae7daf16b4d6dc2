import { z } from 'zod';
import { count, positiveCount } from './primitives.js';

/**
 * The version of a desired object: hub term, generation of the workload, revision of its placement,
 * compared in that order. Receivers refuse older ones. The term rises when a hub is restored from a
 * backup, so that its lower generations still win.
 */
export const versionSchema = z.strictObject({
  term: positiveCount,
  generation: positiveCount,
  revision: count,
});
export type Version = z.infer<typeof versionSchema>;

/** Below 0 when `a` is older than `b`, 0 when they are the same, above 0 when `a` is newer. */
export function compareVersions(a: Version, b: Version): number {
  return a.term - b.term || a.generation - b.generation || a.revision - b.revision;
}

/** `<term>.<generation>.<revision>`, as shown to people and carried in headers. */
export function formatVersion(v: Version): string {
  return `${v.term}.${v.generation}.${v.revision}`;
}

/** The version that `formatVersion` wrote, or undefined. */
export function parseVersion(text: string): Version | undefined {
  const m = /^(\d{1,15})\.(\d{1,15})\.(\d{1,15})$/.exec(text);
  if (!m) return undefined;
  const parsed = versionSchema.safeParse({
    term: Number(m[1]),
    generation: Number(m[2]),
    revision: Number(m[3]),
  });
  return parsed.success ? parsed.data : undefined;
}
