import type { Rule, SourceFile, Violation } from '../repository.js';
import { is, type Visit } from '../syntax.js';

/** Names that reach a clock, randomness, the machine or a later turn. `Date` has pure parts, so it is looked at below. */
const IMPURE = new Set(
  `AbortController AbortSignal Buffer EventTarget Promise Worker clearInterval clearTimeout console crypto fetch
  globalThis performance process queueMicrotask require setImmediate setInterval setTimeout`.split(/\s+/),
);

/** What may be imported: the contracts, and packages that answer from their arguments alone (a schedule is asked with the time). */
const PURE = new Set(['@skerry/contracts', 'croner', 'semver']);

/** Fields whose identifier is a name inside something else, not a variable. */
const NAMES = new Set(['property', 'key', 'label', 'imported', 'exported', 'orig']);

/** Whatever decides is a function of what it is given: that is what makes it testable, repeatable and explainable. */
export const purity: Rule = {
  name: 'libs/domain is pure: no clock, randomness, I/O, logging or async, and no imports but contracts',
  check: ({ sources }) =>
    sources
      .filter(({ path, isTest }) => path.startsWith('libs/domain/src/') && !isTest)
      .flatMap((file) => [...importFaults(file), ...syntaxFaults(file)]),
};

function importFaults({ path, imports }: SourceFile): Violation[] {
  return imports
    .filter(({ specifier }) => !specifier.startsWith('.') && !PURE.has(specifier))
    .map(({ specifier, line }) => ({ path: `${path}:${line}`, says: `imports ${specifier}` }));
}

function syntaxFaults({ path, visits }: SourceFile): Violation[] {
  return visits.flatMap((visit) => {
    const fault = faultOf(visit);
    return fault === undefined ? [] : [{ path: `${path}:${visit.line}`, says: fault }];
  });
}

function faultOf({ node, field, parent }: Visit): string | undefined {
  if (node['async'] === true) return 'has an async function';
  if (node.type === 'AwaitExpression') return 'awaits';
  if (node.type === 'ForOfStatement' && node['await'] === true) return 'awaits';
  if (node.type === 'MetaProperty') return 'reads import.meta';
  if (
    node.type === 'NewExpression' &&
    is(node['callee'], 'Identifier', 'Date') &&
    isEmpty(node['arguments'])
  ) {
    return 'reads the clock: new Date()';
  }
  if (node.type === 'CallExpression' && is(node['callee'], 'Identifier', 'Date'))
    return 'reads the clock: Date()';
  if (node.type === 'MemberExpression' && is(node['object'], 'Identifier', 'Date')) {
    return is(node['property'], 'Identifier', 'now') ? 'reads the clock: Date.now' : undefined;
  }
  if (is(node, 'Identifier', 'Math') && !isPureMath(parent)) return 'draws at random: Math.random';
  const name = node.type === 'Identifier' && !NAMES.has(field) ? node['value'] : undefined;
  return typeof name === 'string' && IMPURE.has(name) ? `uses ${name}` : undefined;
}

/** `Math` alone, as in `const { random } = Math`, is refused too. */
function isPureMath(parent: Visit['parent']): boolean {
  if (parent.type !== 'MemberExpression') return false;
  return is(parent['property'], 'Identifier') && !is(parent['property'], 'Identifier', 'random');
}

function isEmpty(value: unknown): boolean {
  return !Array.isArray(value) || value.length === 0;
}
