import type { Rule } from '../repository.js';
import type { Visit } from '../syntax.js';

const IGNORES = /@ts-(ignore|nocheck|expect-error)/;

/** Types are trusted inside because nothing gets around them: `unknown` becomes a contract type where it enters. */
export const escapes: Rule = {
  name: 'nothing gets around the types: no any, no non-null assertion, no ignored error',
  check: ({ sources }) =>
    sources.flatMap(({ path, text, visits }) => {
      const lines = text.split('\n');
      const ignored = lines.flatMap((line, i) =>
        IGNORES.test(line) ? [{ path: `${path}:${i + 1}`, says: 'ignores errors' }] : [],
      );
      const evaded = visits.flatMap((visit) => {
        const says = evasionOf(visit);
        return says === undefined ? [] : [{ path: `${path}:${visit.line}`, says }];
      });
      return path.startsWith('test/tidy/') ? evaded : [...ignored, ...evaded];
    }),
};

function evasionOf({ node }: Visit): string | undefined {
  if (node.type === 'TsKeywordType' && node['kind'] === 'any') return 'says any';
  return node.type === 'TsNonNullExpression' ? 'asserts that a value is there (!)' : undefined;
}
