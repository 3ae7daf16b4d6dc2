import type { LoggerService } from '@nestjs/common';
import { trace } from '@opentelemetry/api';

const LEVELS = { debug: 0, info: 1, warn: 2, error: 3 } as const;
export type LogLevel = keyof typeof LEVELS;

/** Fields of a line beside its message; anything that JSON can say. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Seeds, JWTs, bearer and join tokens, and passwords in URLs: masked wherever they turn up in a line. */
const SECRETS: readonly [RegExp, string][] = [
  [/\bS[OAUNCX][A-Z2-7]{56}\b/g, '[seed]'],
  [/\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+/g, '[jwt]'],
  [/\b(sk[yj]_[a-z0-9]+)_[\w-]+/g, '$1_[secret]'],
  [/\b(\w+:\/\/[^\s:/@"]*):[^\s@/"]+@/g, '$1:[secret]@'],
  // Also in lines of their own; a key that does not end, up to the end of its text.
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]{0,4000}?-----END [A-Z ]*PRIVATE KEY-----/g, '[private key]'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*/g, '[private key]'],
];

/** Replaces what must not be logged, in time that grows with the text. */
export function masked(text: string): string {
  return SECRETS.reduce((t, [pattern, by]) => t.replace(pattern, by), text);
}

/** One line of JSON per event on standard error: time, level, app, instance, message, trace, error. Longer than 8,000 characters is cut. */
export class JsonLog implements LoggerService {
  constructor(
    private readonly app: string,
    private readonly instance: string,
    private readonly least: LogLevel = 'info',
    private readonly write: (line: string) => void = (line) => process.stderr.write(line),
  ) {}

  debug(message: unknown, ...rest: unknown[]): void {
    this.line('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.line('debug', message, rest);
  }
  log(message: unknown, ...rest: unknown[]): void {
    this.line('info', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.line('warn', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.line('error', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.line('error', message, rest);
  }

  private line(level: LogLevel, message: unknown, rest: readonly unknown[]): void {
    if (LEVELS[level] < LEVELS[this.least]) return;
    const span = trace.getActiveSpan()?.spanContext();
    const record: Record<string, unknown> = {
      at: new Date().toISOString(),
      level,
      app: this.app,
      instance: this.instance,
      message: message instanceof Error ? message.message : message,
      ...(span ? { traceId: span.traceId } : {}),
      ...fieldsOf([message, ...rest]),
    };
    this.write(`${cut(masked(stringify(record)))}\n`);
  }
}

const LINE_CHARS = 8_000;
function cut(line: string): string {
  return line.length <= LINE_CHARS
    ? line
    : JSON.stringify({ level: 'warn', cut: line.slice(0, LINE_CHARS / 2) });
}

/** Nest hands over a stack and a context as trailing strings; ours hands over an error or a record of fields. */
function fieldsOf(rest: readonly unknown[]): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [at, item] of rest.entries()) {
    if (item instanceof Error) fields['error'] = described(item);
    else if (at === 0) continue;
    else if (typeof item === 'string') fields[item.includes('\n') ? 'stack' : 'context'] = item;
    else if (typeof item === 'object' && item !== null) Object.assign(fields, item);
  }
  return fields;
}

const CAUSES = 5;
/** An error with its causes, at most five deep. */
export function described(error: Error, depth = 0): Record<string, unknown> {
  const { cause } = error;
  return {
    name: error.name,
    message: error.message,
    stack: framesOf(error),
    ...(cause instanceof Error && depth < CAUSES ? { cause: described(cause, depth + 1) } : {}),
  };
}

const FRAMES = 8;
/** Where it was thrown; not the message, which the stack begins with. */
function framesOf({ stack = '' }: Error): string {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames.slice(0, FRAMES).join('\n');
}

/** More of one text than any line shows. */
const TEXT_CHARS = 16_000;
/** A secret in one word is not longer. */
const SECRET_CHARS = 2_000;
/** The begin of a long text, without the last word: half a secret is not known for one. */
function begun(text: string): string {
  const space = text.lastIndexOf(' ', TEXT_CHARS);
  return `${text.slice(0, Math.max(space, TEXT_CHARS - SECRET_CHARS))}…`;
}

function stringify(record: Record<string, unknown>): string {
  try {
    return JSON.stringify(record, (_key, value: unknown) => {
      if (typeof value === 'bigint') return value.toString();
      if (typeof value === 'string' && value.length > TEXT_CHARS) return begun(value);
      return value instanceof Error ? described(value) : value;
    });
  } catch {
    const plain = Object.entries(record).filter(([, v]) => typeof v === 'string' || typeof v === 'number');
    return JSON.stringify({ ...Object.fromEntries(plain), unprintable: true });
  }
}
