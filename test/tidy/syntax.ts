import { parseSync } from '@swc/core';

/** A node of the syntax tree, read without trusting its shape. */
export interface SyntaxNode {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** What a file brings in from elsewhere, in any of the ways that the language has. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** A node, the name of the field that holds it, and its parent. */
export interface Visit {
  readonly node: SyntaxNode;
  readonly field: string;
  readonly parent: SyntaxNode;
  readonly line: number;
}

// Put before each text: the parser's positions count on from file to file, and this statement's is the text's start.
const MARK = 'void 0;';

/** Every node of a TypeScript or JavaScript text, in order. Throws on a text that does not parse. */
export function parse(text: string): Visit[] {
  const bytes = Buffer.from(text);
  const module = parseSync(MARK + text.replace(/^#!/, '//'), {
    syntax: 'typescript',
    decorators: true,
    target: 'es2022',
  });
  const [mark, ...body] = module.body;
  const start = (mark?.span.start ?? 0) + MARK.length;
  const lineOf = lineFinder(bytes, start);
  const visits: Visit[] = [];
  const visit = (value: unknown, field: string, parent: SyntaxNode, line: number): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, field, parent, line);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const own = lineOf(value) ?? line;
    const node = isNode(value) ? value : { ...parent, ...value };
    // A class's method has its function in an object without a type.
    if (isNode(value) || 'async' in value)
      visits.push({ node: { type: field, ...value }, field, parent, line: own });
    for (const [name, child] of Object.entries(value)) visit(child, name, node, own);
  };
  visit(body, 'body', { type: 'Module' }, 1);
  return visits;
}

/** Imports, exports from, dynamic imports, types by import, and require. */
export function importsOf(visits: readonly Visit[]): Import[] {
  return visits.flatMap(({ node, field, parent, line }) => {
    if (node.type !== 'StringLiteral' || typeof node['value'] !== 'string') return [];
    const brings =
      (field === 'source' && /^(Import|Export)/.test(parent.type)) ||
      (field === 'argument' && parent.type === 'TsImportType') ||
      (field === 'expression' && parent.type === 'TsExternalModuleReference') ||
      (field === 'expression' && parent.type === 'CallExpression' && isImportCall(parent));
    return brings ? [{ specifier: node['value'], line }] : [];
  });
}

/** Whether the value is a node with this type and, when given, this value (an identifier's or a string's). */
export function is(value: unknown, type: string, text?: string): value is SyntaxNode {
  return isNode(value) && value.type === type && (text === undefined || value['value'] === text);
}

function isImportCall(call: SyntaxNode): boolean {
  const { callee } = call;
  if (is(callee, 'MemberExpression')) return isRequireResolve(callee);
  return is(callee, 'Import') || is(callee, 'Identifier', 'require');
}

/** `require.resolve('package/file')` reads a file of a package that is no module. */
function isRequireResolve(callee: SyntaxNode): boolean {
  return is(callee['object'], 'Identifier', 'require') && is(callee['property'], 'Identifier', 'resolve');
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function lineFinder(bytes: Buffer, start: number): (value: object) => number | undefined {
  const ends: number[] = [];
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) ends.push(at);
  return (value) => {
    if (!('span' in value) || typeof value.span !== 'object' || value.span === null) return undefined;
    if (!('start' in value.span) || typeof value.span.start !== 'number') return undefined;
    const offset = value.span.start - start;
    const line = ends.findIndex((end) => end >= offset);
    return line < 0 ? ends.length + 1 : line + 1;
  };
}
