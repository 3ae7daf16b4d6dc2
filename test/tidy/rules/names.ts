import { posix } from 'node:path';
import type { Rule } from '../repository.js';

/** Words that name no noun: whatever is put there belongs to somebody else. */
const EMPTY_WORDS = /(^|[-.])(utils?|common|helpers?|shared|managers?|data|misc)([-.]|$)/;

/** What a file may be besides its noun. */
const ROLE = /\.(handler|store|module|config|controller|guard|filter|props\.spec|spec|e2e|suite|bench|d)$/;

const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** Names are for the operator: whole words, kebab-case, a role only where it says something. */
export const names: Rule = {
  name: 'files and folders are in kebab-case, with a known role at most, and none is named for nothing',
  check: ({ sources, rooms }) =>
    sources.flatMap(({ path }) => {
      const folder = rooms.find((room) => path.startsWith(`${room.folder}/`))?.folder ?? '';
      const base = posix.basename(path, posix.extname(path)).replace(ROLE, '');
      const parts = [...posix.dirname(path).split('/'), base].filter(
        (part) => part !== '.' && part !== '.ci',
      );
      const empty = [...folder.split('/'), ...parts].find((part) => EMPTY_WORDS.test(part));
      if (empty) return [{ path, says: `is named for nothing: ${empty}` }];
      const odd = parts.find((part) => !KEBAB.test(part));
      return odd ? [{ path, says: `is not in kebab-case, or has an unknown role: ${odd}` }] : [];
    }),
};
