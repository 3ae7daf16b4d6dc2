import { LIMITS, Refusal, show, type Issue } from '@skerry/contracts';
import { Composer, type Document, isScalar, Lexer, LineCounter, Parser, visit } from 'yaml';

/** Entries of one mapping or sequence, at any level. Checking a mapping's keys costs the square of them. */
const MAX_ENTRIES = 2_000;
/** After so many mistakes the rest of a text is not looked at. */
const MAX_ERRORS = 20;
/** The stack holds the document itself and the value that is being read. */
const STACK_BESIDE_NESTING = 2;

/**
 * Reads YAML 1.2 (JSON is a part of it) as plain values, one for each document that is not empty. Throws `Refusal`:
 * `malformed` for what is no YAML, repeated keys, tags and anchors that do not exist; `too-large` for what nests,
 * repeats or expands beyond its limit. Work is bounded before anything is built: a hostile text costs little more
 * than reading it.
 */
export function readYaml(text: string, source: string): unknown[] {
  refuseControls(text, source);
  const lines = new LineCounter();
  const documents = compose(text, source, lines);
  return documents.map((document) => valueOf(document, source, lines)).filter((value) => value !== null);
}

function compose(text: string, source: string, lines: LineCounter): Document.Parsed[] {
  const parser = new Parser(lines.addNewLine);
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    uniqueKeys: true,
    prettyErrors: false,
    lineCounter: lines,
  });
  const documents: Document.Parsed[] = [];
  const issues: Issue[] = [];
  const take = (document: Document.Parsed): void => {
    documents.push(document);
    issues.push(
      ...[...document.errors, ...document.warnings].map((e) => issueAt(e.pos[0], e.message, source, lines)),
    );
    if (documents.length > LIMITS.documentsPerCommand) throw tooMany(source);
    if (issues.length >= MAX_ERRORS) throw notYaml(source, issues);
  };
  for (const token of tokensOf(text, parser, source, lines)) {
    if (token.type === 'error') throw notYaml(source, [issueAt(token.offset, token.message, source, lines)]);
    for (const document of composer.next(token)) take(document);
  }
  for (const document of composer.end()) take(document);
  if (issues.length > 0) throw notYaml(source, issues);
  return documents;
}

/** The tokens of a text, as long as it keeps within the limits of nesting and entries. */
function* tokensOf(text: string, parser: Parser, source: string, lines: LineCounter) {
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    const top = parser.stack.at(-1);
    if (parser.stack.length > LIMITS.documentDepth + STACK_BESIDE_NESTING) {
      throw beyond(
        source,
        place(parser.offset, lines),
        `nested deeper than ${LIMITS.documentDepth} levels`,
        'documentDepth',
      );
    }
    if (top && 'items' in top && top.items.length > MAX_ENTRIES) {
      throw beyond(
        source,
        place(parser.offset, lines),
        `more than ${MAX_ENTRIES} entries in one list or mapping`,
      );
    }
  }
  yield* parser.end();
}

function valueOf(document: Document.Parsed, source: string, lines: LineCounter): unknown {
  visit(document, {
    Pair: (_, pair) => {
      if (isScalar(pair.key)) return undefined;
      const range = document.contents?.range?.[0] ?? 0;
      throw notYaml(source, [issueAt(range, 'a key that is a list or a mapping', source, lines)]);
    },
  });
  try {
    return document.toJS({ maxAliasCount: LIMITS.documentAliases });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (message.includes('alias count')) {
      throw beyond(source, '', `more than ${LIMITS.documentAliases} aliases expanded`, 'documentAliases');
    }
    throw notYaml(source, [{ path: source, problem: message }]);
  }
}

/** Control characters, except tab and line ends: they have no business in a text, and NUL ends strings elsewhere. */
function refuseControls(text: string, source: string): void {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  const found = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.exec(text);
  if (!found) return;
  const before = text.slice(0, found.index);
  const line = before.split('\n').length;
  throw notYaml(source, [
    { path: `${source}:${line}`, problem: 'a control character', value: show(found[0]), allowed: 'text' },
  ]);
}

function issueAt(offset: number, message: string, source: string, lines: LineCounter): Issue {
  const tag = /^Unresolved tag: (\S+)/.exec(message);
  return {
    path: `${source}${place(offset, lines)}`,
    problem: tag ? `a YAML tag, which is not taken: ${tag[1]}` : (message.split('\n')[0] ?? message),
  };
}

function place(offset: number, lines: LineCounter): string {
  const { line, col } = lines.linePos(offset);
  return line === 0 ? '' : `:${line}:${col}`;
}

function notYaml(source: string, issues: Issue[]): Refusal {
  return new Refusal('malformed', `${source} is no valid YAML or JSON`, {
    issues,
    hint: 'mend the lines named; nothing was applied',
  });
}

function beyond(source: string, where: string, problem: string, limit?: string): Refusal {
  return new Refusal('too-large', `${source} is larger than a document may be`, {
    issues: [{ path: `${source}${where}`, problem, ...(limit ? { allowed: `limit ${limit}` } : {}) }],
    hint: 'write it flatter or split it; nothing was applied',
  });
}

function tooMany(source: string): Refusal {
  return new Refusal('too-large', `more than ${LIMITS.documentsPerCommand} documents in ${source}`, {
    hint: `apply at most ${LIMITS.documentsPerCommand} documents at once (limit documentsPerCommand)`,
  });
}
