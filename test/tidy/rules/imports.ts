import { posix } from 'node:path';
import type { Rule } from '../repository.js';
import { packageOf } from './layers.js';

/** Other rooms are entered by the front door: by package name alone, and never by a path. */
export const imports: Rule = {
  name: 'a room imports other rooms by package name, and relative imports stay inside the room',
  check: ({ rooms, sources }) => {
    const names = new Set(rooms.map(({ name }) => name));
    return sources.flatMap(({ path, room, imports: found }) =>
      found.flatMap(({ specifier, line }) => {
        const place = `${path}:${line}`;
        if (specifier.startsWith('/'))
          return [{ path: place, says: `imports by an absolute path: ${specifier}` }];
        const name = packageOf(specifier);
        if (names.has(name) && specifier !== name)
          return [{ path: place, says: `reaches inside ${name}: ${specifier}` }];
        if (!specifier.startsWith('.') || !room) return [];
        const target = posix.join(posix.dirname(path), specifier);
        const leaves = !target.startsWith(`${room.folder}/`);
        return leaves ? [{ path: place, says: `leaves ${room.folder}: ${specifier}` }] : [];
      }),
    );
  },
};
