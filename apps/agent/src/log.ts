export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** Says what happened: one line of JSON on standard error. Fields must not be secrets. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** A log from `level` up; default from `SKERRY_LOG`, else `info`. */
export function makeLog(level: string = process.env['SKERRY_LOG'] ?? 'info'): Log {
  const least = Math.max(
    0,
    LEVELS.findIndex((l) => l === level),
  );
  const say =
    (at: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      if (LEVELS.indexOf(at) < least) return;
      const line = { time: new Date().toISOString(), level: at, message, ...fields };
      process.stderr.write(`${JSON.stringify(line)}\n`);
    };
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
}

/** An error's message with those of its causes: never its stack, which is for bugs alone. */
export function reason(error: unknown): string {
  const parts: string[] = [];
  for (let e = error; e !== undefined && parts.length < 5; e = causeOf(e)) parts.push(messageOf(e));
  return parts.join(': ').slice(0, 500);
}

function messageOf(error: unknown): string {
  const has = typeof error === 'object' && error !== null && 'message' in error;
  return has && typeof error.message === 'string' ? error.message : (JSON.stringify(error) ?? 'unknown');
}

function causeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'cause' in error ? error.cause : undefined;
}
