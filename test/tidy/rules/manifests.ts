import type { Room, Rule } from '../repository.js';

/** The Nx tags of each kind of room; a lib's number is its layer. */
const LIB_TAGS: Readonly<Record<string, string>> = {
  contracts: 'layer:0',
  domain: 'layer:1 pure',
  bus: 'layer:1',
  identity: 'layer:1',
  client: 'layer:1',
  gazetteer: 'layer:2',
  service: 'layer:2',
  backup: 'layer:2',
  sim: 'layer:2',
};

/** The walls are drawn in each package.json as well: by its exports, its Nx tags and its pins. */
export const manifests: Rule = {
  name: 'a room exports its front door alone, has the Nx tags of its layer, and pins its dependencies exactly',
  check: ({ rooms }) =>
    rooms.flatMap((room) => faultsOf(room).map((says) => ({ path: `${room.folder}/package.json`, says }))),
};

function faultsOf(room: Room): string[] {
  const faults: string[] = [];
  const doors = room.exports.filter((door) => door !== '.' && door !== './package.json');
  if (doors.length > 0) faults.push(`exports more than its front door: ${doors.join(', ')}`);
  if (room.folder !== 'test' && !room.exports.includes('.')) faults.push('exports nothing');
  const tags = tagsOf(room.folder);
  if (room.tags.join(' ') !== tags)
    faults.push(`has the Nx tags "${room.tags.join(' ')}" instead of "${tags}"`);
  for (const [name, range] of Object.entries({ ...room.dependencies, ...room.devDependencies })) {
    const pinned = name.startsWith('@skerry/') ? range === '*' : /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(range);
    if (!pinned) faults.push(`does not pin ${name} exactly: ${range}`);
  }
  return faults;
}

function tagsOf(folder: string): string {
  const [kind = '', name = ''] = folder.split('/');
  if (kind === 'libs') return LIB_TAGS[name] ?? 'a layer, written down in the rules of test/tidy';
  return kind === 'apps' ? 'app' : kind;
}
