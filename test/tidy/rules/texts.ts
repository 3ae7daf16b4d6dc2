import type { Repository, Rule, Violation } from '../repository.js';

const LATER = /\b(TODO|FIXME|XXX|HACK)\b/;

/** The folders of somebody's account, on Linux, macOS and Windows. */
const OF_SOMEBODY = /\/(home|Users)\/[A-Za-z]+\/|\/root\/|[A-Z]:\\+Users/;

/** What is not done yet is an issue; what is in the code is done. */
export const openEnds: Rule = {
  name: 'nothing is left for later in a comment',
  check: (repository) => linesWith(repository, (line) => LATER.test(line), 'is left for later'),
};

/** A path of one machine works on that machine. */
export const machinePaths: Rule = {
  name: 'no path of one machine is written down, and the lock names no registry',
  check: (repository) => [
    ...linesWith(repository, (line) => OF_SOMEBODY.test(line), "names somebody's folder"),
    ...linesWith(repository, (line) => isInside(line, repository.root), 'names the folder of one clone'),
    ...linesWith(repository, (line) => /^\s*"resolved": "https?:/.test(line), 'names a registry'),
  ],
};

/** A clone directly below `/` has a name as short as many a word, and is not looked for. */
function isInside(line: string, root: string): boolean {
  const at = root.lastIndexOf('/') > 0 ? line.indexOf(root) : -1;
  return at >= 0 && !/[\w-]/.test(line.charAt(at + root.length));
}

function linesWith({ texts }: Repository, breaks: (line: string) => boolean, says: string): Violation[] {
  return [...texts]
    .filter(([path]) => !path.startsWith('test/tidy/')) // These rules spell what they forbid.
    .flatMap(([path, text]) =>
      text.split('\n').flatMap((line, i) => (breaks(line) ? [{ path: `${path}:${i + 1}`, says }] : [])),
    );
}
