import type { Problem } from '@skerry/contracts';

/** The api answered that it will not, and why: the RFC 9457 problem as it came. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  constructor(readonly problem: Problem) {
    super(problem.title);
  }
}

/** No answer was had from the api: not running, wrong address, cut off, or too slow. It may or may not have acted. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
  constructor(
    readonly url: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`no answer from ${url}: ${reason}`, options);
  }
}

/** What answered is not a Skerry api, or speaks another version of it. */
export class NotSkerry extends Error {
  override readonly name = 'NotSkerry';
}
