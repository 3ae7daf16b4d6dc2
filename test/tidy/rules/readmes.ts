import type { Rule } from '../repository.js';

/** The shortest README that can say what a room is for, in characters. */
const SHORTEST = 100;

/** A reader who enters a room finds there what it is for. */
export const readmes: Rule = {
  name: 'each room has a README.md',
  check: ({ texts }) => {
    const folders = new Set(
      [...texts.keys()].flatMap((path) => /^(?:(?:apps|libs|deploy)\/[^/]+|test)(?=\/)/.exec(path) ?? []),
    );
    return [...folders]
      .filter((folder) => (texts.get(`${folder}/README.md`) ?? '').length < SHORTEST)
      .map((folder) => ({ path: `${folder}/README.md`, says: 'is missing or says nothing' }));
  },
};
