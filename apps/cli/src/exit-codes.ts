import type { ErrorCode } from '@skerry/contracts';

/** What the process ends with; scripts rely on them. `plan` uses 0, 1 and 2 in its own way: nothing to do, changes, cannot. */
export const EXIT = {
  ok: 0,
  /** Refused by the cloud, or it went wrong. */
  failed: 1,
  /** Called wrongly. */
  usage: 2,
  notFound: 3,
  /** No answer from the api. */
  unreachable: 4,
  unauthorized: 5,
  /** Waited, and it did not happen in time. */
  timedOut: 124,
  /** Ctrl-C while something was waited for; it goes on in the cloud. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The exit code for a refusal. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  switch (code) {
    case 'not-found':
      return EXIT.notFound;
    case 'unauthorized':
      return EXIT.unauthorized;
    case 'unavailable':
      return EXIT.unreachable;
    default:
      return EXIT.failed;
  }
}

/** A command that ends otherwise than well, with what a person reads. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    /** What to do about it. */
    readonly hint?: string,
    /** Further lines: candidates, places. */
    readonly lines: readonly string[] = [],
  ) {
    super(message);
  }
}
