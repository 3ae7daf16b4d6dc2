import { builtinModules } from 'node:module';
import type { Repository, Room, Rule, SourceFile, Violation } from '../repository.js';
import { packageOf } from './layers.js';

const BUILTIN = new Set(builtinModules);

/** Nx takes the order of builds from package.json, so what is not declared there is built too late or not at all. */
export const declared: Rule = {
  name: 'a room declares every package that it imports',
  check: ({ sources, tools }) =>
    sources.flatMap((file) =>
      packagesOf(file).flatMap(({ name, line }) => {
        const { room, path } = file;
        if (!room || name === room.name || name in room.dependencies) return [];
        if (mayUseTools(file, room) && (name in room.devDependencies || tools.has(name))) return [];
        return [
          {
            path: `${path}:${line}`,
            says: `imports ${name}, which ${room.folder}/package.json does not declare`,
          },
        ];
      }),
    ),
};

/** A dependency counts as used, too, when a used one wants it beside itself, as Nest wants rxjs. */
export const used: Rule = {
  name: 'a room imports every package that it declares',
  check: (repository) => repository.rooms.flatMap((room) => unusedIn(room, repository)),
};

function unusedIn(room: Room, { sources, peersOf }: Repository): Violation[] {
  const own = sources.filter((file) => file.room === room);
  const imported = new Set(own.flatMap((file) => packagesOf(file).map(({ name }) => name)));
  const wanted = new Set([...imported].flatMap((name) => peersOf(name)));
  const all = [...Object.keys(room.dependencies), ...Object.keys(room.devDependencies)];
  return all
    .filter((name) => !imported.has(name) && !wanted.has(name))
    .map((name) => ({
      path: `${room.folder}/package.json`,
      says: `declares ${name}, which nothing in it imports`,
    }));
}

/** Tests, and scripts beside `src` such as a build's, never run in production. */
function mayUseTools(file: SourceFile, room: Room): boolean {
  return file.isTest || !file.path.startsWith(`${room.folder}/src/`);
}

function packagesOf(file: SourceFile): { name: string; line: number }[] {
  return file.imports
    .filter(({ specifier }) => !/^[./]|^node:/.test(specifier) && !BUILTIN.has(specifier))
    .map(({ specifier, line }) => ({ name: packageOf(specifier), line }));
}
