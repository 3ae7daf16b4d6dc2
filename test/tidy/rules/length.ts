import type { Rule } from '../repository.js';

const MAX_LINES = 400;

/** Tables of cases are long and easy to read. */
const MAX_TEST_LINES = 800;

/** One noun or one decision a file. */
export const length: Rule = {
  name: `a file has at most ${MAX_LINES} lines, a test ${MAX_TEST_LINES}`,
  check: ({ sources }) =>
    sources.flatMap(({ path, text, isTest }) => {
      const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
      const most = isTest ? MAX_TEST_LINES : MAX_LINES;
      return lines > most ? [{ path, says: `has ${lines} lines, ${most} at most` }] : [];
    }),
};
