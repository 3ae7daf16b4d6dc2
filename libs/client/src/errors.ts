import type { Problem } from '@skerry/contracts';

/** The api, or an agent, answered that it will not, and why: the RFC 9457 problem as it came. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

/** No answer was had: not running, wrong address, cut off, or too slow. It may or may not have acted, unless it is `unheard`. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  /** The connection was refused: nothing of the request was heard, and nothing was done. */
  readonly unheard: boolean;
  constructor(
    readonly url: string,
    reason: string,
    { unheard = false, ...options }: ErrorOptions & { unheard?: boolean } = {},
  ) {
    super(`no answer from ${url}: ${reason}`, options);
    this.unheard = unheard;
  }
}

/** What answered is not a Skerry api, or speaks another version of it. */
export class NotSkerry extends Error {
  override readonly name = 'NotSkerry';
}
