import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { type Issue, LIMITS } from '@skerry/contracts';
import { CsvError, parse } from 'csv-parse/sync';
import { CommandFailed, EXIT } from '../exit-codes.js';

/** Characters of one line; a longer one is no table. */
const LINE_CHARS = 16_384;
const CELL_CHARS = 200;
const NUMBER = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?$/;

/** What a column may be called; case and marks do not count: `cpu_core_month` is `cpuCoreMonth`. */
export type Columns<Name extends string> = Readonly<Record<Name, readonly string[]>>;

export interface TableLimits {
  maxLines: number;
  /** The name of `maxLines` in `LIMITS`. */
  limit: string;
}

/** A table as it was read: every line with its number, and what is wrong so far. */
export class CsvTable<Name extends string> {
  private constructor(
    /** The file's short name. */
    readonly name: string,
    private readonly at: ReadonlyMap<Name, number>,
    readonly lines: readonly CsvLine<Name>[],
    /** Columns that nothing is read from. */
    readonly unused: readonly string[],
  ) {}

  /**
   * Reads a comma-separated file with a head line. Mistakes go to `issues`, all of them. Throws `CommandFailed` for a file that
   * cannot be read at all, or is over `LIMITS.adviseFileBytes`.
   */
  static read<Name extends string>(
    path: string,
    columns: Columns<Name>,
    limits: TableLimits,
    issues: Issue[],
  ): CsvTable<Name> {
    const name = basename(path).slice(0, CELL_CHARS);
    const [head, ...rows] = recordsOf(textOf(path), name, limits.maxLines, issues);
    const at = new Map<Name, number>();
    const unused: string[] = [];
    for (const [i, title] of (head?.record ?? []).entries()) {
      const column = columnOf(title, columns);
      if (column === undefined) unused.push(title.slice(0, CELL_CHARS));
      else if (at.has(column))
        issues.push({ path: `${name}:1`, problem: 'column named twice', value: title });
      else at.set(column, i);
    }
    if (head === undefined) issues.push({ path: name, problem: 'is empty', allowed: allowedHead(columns) });
    else if (rows.length === 0 && issues.length === 0)
      issues.push({ path: name, problem: 'has a head and no line' });
    if (rows.length > limits.maxLines) {
      const allowed = `at most ${limits.maxLines} lines (limit ${limits.limit})`;
      issues.push({ path: name, problem: 'too long', allowed });
    }
    const lines = rows
      .slice(0, limits.maxLines)
      .map(({ record, line }) => new CsvLine(`${name}:${line}`, line, record, at, issues));
    for (const line of lines) line.checkWidth(head?.record.length ?? 0);
    return new CsvTable(name, at, lines, unused);
  }

  has(column: Name): boolean {
    return this.at.has(column);
  }

  /** Says which columns are missing of those that every line needs; answers whether none is. */
  needs(columns: readonly Name[], issues: Issue[]): boolean {
    if (this.lines.length === 0) return false;
    const missing = columns.filter((column) => !this.has(column));
    for (const column of missing) issues.push({ path: `${this.name}:1`, problem: `no column ${column}` });
    return missing.length === 0;
  }
}

/** One line of a table. Reading a cell that is not right adds to the issues and answers undefined. */
export class CsvLine<Name extends string> {
  constructor(
    /** `file:line`, as errors name it. */
    readonly place: string,
    readonly number: number,
    private readonly record: readonly string[],
    private readonly at: ReadonlyMap<Name, number>,
    private readonly issues: Issue[],
  ) {}

  checkWidth(columns: number): void {
    if (this.record.length === columns) return;
    const allowed = `${columns}, as the head has`;
    this.issues.push({ path: this.place, problem: `${this.record.length} cells`, allowed });
  }

  /** The text of a cell; undefined when it is empty or its column is not there. */
  text(column: Name): string | undefined {
    const cell = this.record[this.at.get(column) ?? -1] ?? '';
    if (cell === '') return undefined;
    // Names are printed: nothing in them may steer a terminal.
    // oxlint-disable-next-line no-control-regex -- they are what is refused
    if (cell.length <= CELL_CHARS && !/[\u0000-\u001f\u007f-\u009f]/.test(cell)) return cell;
    return this.wrong(
      column,
      'not a short text',
      cell,
      `at most ${CELL_CHARS} characters, none of them a control character`,
    );
  }

  /** The number in a cell; undefined when the cell is empty. NaN, infinities and what is out of bounds are refused. */
  decimal(column: Name, min: number, max: number): number | undefined {
    const cell = this.text(column);
    if (cell === undefined) return undefined;
    const value = NUMBER.test(cell) ? Number(cell) : Number.NaN;
    if (value >= min && value <= max) return value;
    return this.wrong(column, 'not allowed', cell, `a number from ${min} to ${max}`);
  }

  wrong(column: Name | '', problem: string, value?: string, allowed?: string): undefined {
    this.issues.push({
      path: `${this.place} ${column}`.trim(),
      problem,
      ...(value === undefined ? {} : { value: JSON.stringify(value.slice(0, CELL_CHARS)) }),
      ...(allowed === undefined ? {} : { allowed }),
    });
    return undefined;
  }
}

function columnOf<Name extends string>(title: string, columns: Columns<Name>): Name | undefined {
  const wanted = folded(title);
  for (const name in columns) {
    if (folded(name) === wanted || columns[name].some((other) => folded(other) === wanted)) return name;
  }
  return undefined;
}

function folded(title: string): string {
  return title.toLowerCase().replace(/[^a-z0-9]/g, '');
}

function allowedHead(columns: Columns<string>): string {
  return `a first line that names columns: ${Object.keys(columns).join(', ')}`;
}

interface CsvRecord {
  readonly record: readonly string[];
  readonly line: number;
}

/** The head and at most one line more than allowed. */
function recordsOf(text: string, name: string, maxLines: number, issues: Issue[]): CsvRecord[] {
  const records: CsvRecord[] = [];
  try {
    parse(text, {
      bom: true,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      max_record_size: LINE_CHARS,
      to: maxLines + 2,
      on_record: (record, { lines }) => {
        records.push({ record, line: lines });
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line: unknown = error['lines'];
    const path = typeof line === 'number' ? `${name}:${line}` : name;
    issues.push({ path, problem: `no comma-separated values (${error.code})` });
  }
  return records;
}

function textOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile()) throw new CommandFailed(EXIT.usage, `there is no file ${path}`);
  if (stat.size > LIMITS.adviseFileBytes) {
    const allowed = `at most ${LIMITS.adviseFileBytes} (limit adviseFileBytes)`;
    throw new CommandFailed(EXIT.failed, `too large: ${path} has ${stat.size} bytes; ${allowed}`);
  }
  return decoded(bytesOf(path), path);
}

function bytesOf(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new CommandFailed(EXIT.failed, `${path} cannot be read (${why})`);
  }
}

function decoded(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CommandFailed(EXIT.failed, `${path} is no UTF-8 text`, 'save it as UTF-8');
  }
}
