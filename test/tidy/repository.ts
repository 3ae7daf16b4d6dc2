import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Import, importsOf, parse, type Visit } from './syntax.js';

/** A folder with its own package.json: apps/*, libs/*, deploy/local, deploy/nats and test. */
export interface Room {
  /** From the top of the repository, such as `libs/bus`. */
  readonly folder: string;
  /** Such as `@skerry/bus`. */
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly exports: readonly string[];
  readonly tags: readonly string[];
}

/** A TypeScript or JavaScript file. */
export interface SourceFile {
  /** From the top of the repository. */
  readonly path: string;
  readonly text: string;
  /** Undefined at the top and in folders without a package.json. */
  readonly room: Room | undefined;
  /** Whether it runs in tests alone: specs, end-to-end tests, suites that several specs share, and all of `test`. */
  readonly isTest: boolean;
  readonly imports: readonly Import[];
  readonly visits: readonly Visit[];
}

/** All that the rules look at. */
export interface Repository {
  /** Where it lies on this machine. */
  readonly root: string;
  readonly rooms: readonly Room[];
  readonly sources: readonly SourceFile[];
  /** Every text file by its path, sources among them. */
  readonly texts: ReadonlyMap<string, string>;
  /** devDependencies at the top: tools that tests and build scripts of any room may use. */
  readonly tools: ReadonlySet<string>;
  /** The packages that an installed package wants beside itself (its peerDependencies). */
  readonly peersOf: (name: string) => readonly string[];
}

/** One place that breaks a rule. */
export interface Violation {
  readonly path: string;
  readonly says: string;
}

/** A wall: what must hold in the whole repository. */
export interface Rule {
  /** What holds, as a sentence without a subject: the name of its test. */
  readonly name: string;
  readonly check: (repository: Repository) => Violation[];
}

const SOURCE = /\.(ts|mts|cts|js|mjs|cjs)$/;
const TEXT =
  /\.(ts|mts|cts|js|mjs|cjs|json|md|ya?ml|conf|service|sh|txt)$|(^|\/)(run|skerry|\.gitignore|\.npmrc)$/;
const NOT_OURS = new Set(['node_modules', 'dist', '.git', '.cache', '.nx', '.skerry', 'generated']);

/** Reads the repository whose top is `root`. */
export function readRepository(root: string): Repository {
  const texts = new Map<string, string>();
  const read = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !NOT_OURS.has(entry.name)) read(path);
      if (entry.isFile() && TEXT.test(path)) texts.set(path, readFileSync(join(root, path), 'utf8'));
    }
  };
  read('');
  return repositoryOf(root, texts, (name) => peersInstalled(root, name));
}

/** A repository of these texts by path. */
export function repositoryOf(
  root: string,
  texts: ReadonlyMap<string, string>,
  peersOf: Repository['peersOf'] = () => [],
): Repository {
  const rooms = [...texts.keys()]
    .filter((path) => path.endsWith('/package.json'))
    .map((path) => roomOf(path, texts));
  const sources = [...texts]
    .filter(([path]) => SOURCE.test(path))
    .map(([path, text]) => sourceOf(path, text, rooms));
  const top = JSON.parse(texts.get('package.json') ?? '{}');
  return { root, rooms, sources, texts, tools: new Set(Object.keys(top.devDependencies ?? {})), peersOf };
}

function roomOf(path: string, texts: ReadonlyMap<string, string>): Room {
  const manifest = JSON.parse(texts.get(path) ?? '{}');
  return {
    folder: path.slice(0, -'/package.json'.length),
    name: manifest.name,
    dependencies: manifest.dependencies ?? {},
    devDependencies: manifest.devDependencies ?? {},
    exports: Object.keys(manifest.exports ?? {}),
    tags: manifest.nx?.tags ?? [],
  };
}

function sourceOf(path: string, text: string, rooms: readonly Room[]): SourceFile {
  const room = rooms.find(({ folder }) => path.startsWith(`${folder}/`));
  const isTest = /\.(spec|e2e|suite)\.ts$/.test(path) || path.startsWith('test/');
  const visits = parsed(path, text);
  return { path, text, room, isTest, imports: importsOf(visits), visits };
}

function parsed(path: string, text: string): Visit[] {
  try {
    return parse(text);
  } catch (cause) {
    throw new Error(`parse ${path}`, { cause });
  }
}

function peersInstalled(root: string, name: string): readonly string[] {
  const manifest = join(root, 'node_modules', name, 'package.json');
  if (!existsSync(manifest)) return [];
  return Object.keys(JSON.parse(readFileSync(manifest, 'utf8')).peerDependencies ?? {});
}
