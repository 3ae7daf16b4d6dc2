import type { Room, Rule, SourceFile } from '../repository.js';

/** For each lib, the libs that it may import. A new lib gets its line here. */
const LIBS: Readonly<Record<string, readonly string[]>> = {
  contracts: [],
  domain: ['contracts'],
  bus: ['contracts'],
  identity: ['contracts'],
  client: ['contracts'],
  gazetteer: ['contracts', 'domain'],
  service: ['contracts', 'bus'],
  backup: ['contracts', 'bus', 'identity'],
  sim: ['contracts', 'domain', 'bus'],
};

/** What a lib's tests may use besides: a real nats-server. */
const FOR_TESTS = ['@skerry/nats-server'];

/** Imports point down: contracts, then domain, bus, identity and client, then service, then apps, then deploy and test. */
export const layers: Rule = {
  name: 'imports point down only, and an app never imports an app',
  check: ({ rooms, sources }) => {
    const byName = new Map(rooms.map((room) => [room.name, room]));
    return sources.flatMap((file) =>
      file.imports.flatMap(({ specifier, line }) => {
        const target = byName.get(packageOf(specifier));
        if (!file.room || !target || target === file.room || mayImport(file, file.room, target)) return [];
        return [{ path: `${file.path}:${line}`, says: `${file.room.folder} may not import ${target.name}` }];
      }),
    );
  },
};

/** The package of an import: `@skerry/bus` of `@skerry/bus/src/x.js`. */
export function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function mayImport(file: SourceFile, from: Room, to: Room): boolean {
  const [kind, name = ''] = from.folder.split('/');
  if (kind === 'deploy' || kind === 'test') return true;
  if (file.isTest && FOR_TESTS.includes(to.name)) return true;
  if (!to.folder.startsWith('libs/')) return false;
  return kind === 'apps' || (LIBS[name] ?? []).includes(to.folder.slice('libs/'.length));
}
