import { LIMITS, show, type Issue } from '@skerry/contracts';

/** Values of one command, each counted as often as it appears: aliases repeat without costing text. */
const MAX_VALUES = 100_000;

/**
 * What no schema sees: a tree that is too deep or too large once aliases are expanded, keys that mean something to
 * JavaScript, and NUL in strings. Iterative, so that depth cannot exhaust the stack. Stops at the first finding.
 */
export function treeIssue(root: unknown): Issue | undefined {
  const open: { value: unknown; path: string; depth: number }[] = [{ value: root, path: '', depth: 0 }];
  let seen = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, path, depth } = next;
    seen += 1;
    if (seen > MAX_VALUES) return { path: '', problem: `more than ${MAX_VALUES} values` };
    if (depth > LIMITS.documentDepth) {
      return {
        path: '',
        problem: 'nested too deep',
        allowed: `at most ${LIMITS.documentDepth} levels (limit documentDepth)`,
      };
    }
    if (typeof value === 'string' && value.includes('\0')) {
      return { path, problem: 'a NUL character', value: show(value), allowed: 'text' };
    }
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      const at = Array.isArray(value) ? `${path}[${key}]` : `${path}${path === '' ? '' : '.'}${key}`;
      if (key === '__proto__') return { path: at, problem: 'unknown field' };
      open.push({ value: inner, path: at, depth: depth + 1 });
    }
  }
  return undefined;
}
