import type { Random } from './random.js';

/** What is in a file: as written, and as it would be found after the power had failed. */
interface Inode {
  text: string;
  durable: string;
  /** What is added to it in pieces may be there in part. */
  tears?: boolean;
}

/** What is done with an open file. */
export interface SimFile {
  read(): string;
  /** Adds to its end; how much was taken. */
  write(text: string): number;
  /** Cuts it off behind so many characters. */
  truncate(length: number): void;
  sync(): void;
}

/** How an error of the file system is told from others. */
export class DiskError extends Error {
  constructor(
    readonly code: 'ENOENT' | 'EEXIST' | 'ENOSPC' | 'ENOTDIR',
    path: string,
  ) {
    super(`${code}: ${path}`);
  }
}

/**
 * A machine's disk. What was written is there for every process of the machine at once, and after a power failure only what
 * was synced: a file's text by its own `sync`, its name by a `sync` of its folder. What was not may be there or not.
 */
export class SimDisk {
  private names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  private readonly folders = new Set<string>(['/']);
  /** Nothing more can be written. */
  full = false;

  private readonly tearing: Random;

  constructor(private readonly random: Random) {
    this.tearing = random.fork('tearing');
  }

  read(path: string): string {
    const inode = this.names.get(path);
    if (inode === undefined) throw new DiskError('ENOENT', path);
    return inode.text;
  }

  has(path: string): boolean {
    return this.names.has(path) || this.folders.has(path);
  }

  isFolder(path: string): boolean {
    return this.folders.has(path);
  }

  /** An empty file at once, as `open` with these flags: `w` empties, `wx` fails when there is one, `a` keeps. */
  create(path: string, flags: 'w' | 'wx' | 'a'): void {
    const inode = this.names.get(path);
    if (inode !== undefined && flags === 'wx') throw new DiskError('EEXIST', path);
    if (this.full && inode === undefined) throw new DiskError('ENOSPC', path);
    if (inode === undefined) this.names.set(path, { text: '', durable: '' });
    else if (flags === 'w') inode.text = '';
  }

  append(path: string, text: string): void {
    const inode = this.names.get(path);
    if (inode === undefined) throw new DiskError('ENOENT', path);
    if (this.full) throw new DiskError('ENOSPC', path);
    inode.text += text;
  }

  /** An open file: the same one whatever it is called from then on. */
  open(path: string): SimFile {
    const inode = this.names.get(path);
    if (inode === undefined) throw new DiskError('ENOENT', path);
    return {
      read: () => inode.text,
      write: (text) => this.write(inode, text, path),
      truncate: (length) => void (inode.text = inode.text.slice(0, length)),
      sync: () => void (inode.durable = inode.text),
    };
  }

  /** How much of it was taken. A disk that is full takes a last piece now and then. */
  private write(inode: Inode, text: string, path: string): number {
    const length = this.full ? this.tearing.whole(0, text.length >> 1) : text.length;
    if (length === 0 && text !== '') throw new DiskError('ENOSPC', path);
    inode.text += text.slice(0, length);
    inode.tears = true;
    return length;
  }

  /** Makes a file's text last, or the names in a folder. */
  sync(path: string): void {
    const inode = this.names.get(path);
    if (inode !== undefined) inode.durable = inode.text;
    if (!this.folders.has(path)) return;
    for (const name of this.durableNames.keys()) {
      const goneWithFolder = name.startsWith(`${path}/`) && !this.folders.has(folderOf(name));
      if (folderOf(name) === path || goneWithFolder) this.durableNames.delete(name);
    }
    for (const [name, file] of this.names) if (folderOf(name) === path) this.durableNames.set(name, file);
  }

  rename(from: string, to: string): void {
    const inode = this.names.get(from);
    if (inode === undefined) throw new DiskError('ENOENT', from);
    this.names.delete(from);
    this.names.set(to, inode);
  }

  /** Removes a file, or a folder with all in it; whether there was one. */
  remove(path: string): boolean {
    let found = this.names.delete(path);
    if (this.folders.delete(path)) found = true;
    for (const name of this.names.keys()) if (name.startsWith(`${path}/`)) this.names.delete(name);
    for (const name of this.folders) if (name.startsWith(`${path}/`)) this.folders.delete(name);
    return found;
  }

  makeFolder(path: string): void {
    for (let at = path; !this.folders.has(at); at = folderOf(at)) this.folders.add(at);
  }

  list(path: string): string[] {
    if (!this.folders.has(path)) throw new DiskError('ENOENT', path);
    const below = path === '/' ? '/' : `${path}/`;
    const names = [...this.names.keys(), ...this.folders].filter((name) => name.startsWith(below));
    const direct = names.map((name) => name.slice(below.length).split('/')[0] ?? '');
    return [...new Set(direct)].filter((name) => name !== '').toSorted();
  }

  /** The power fails: what was not synced is there or not, file by file and folder by folder. */
  losePower(): void {
    const kept = new Map<string, boolean>();
    const keeps = (folder: string) => {
      const decided = kept.get(folder) ?? this.random.chance(0.3);
      kept.set(folder, decided);
      return decided;
    };
    const after = new Map<string, Inode>();
    for (const [name, inode] of this.durableNames) if (!keeps(folderOf(name))) after.set(name, inode);
    for (const [name, inode] of this.names) if (keeps(folderOf(name))) after.set(name, inode);
    for (const inode of new Set(after.values())) {
      if (inode.text !== inode.durable && !this.random.chance(0.3)) inode.text = this.left(inode);
      inode.durable = inode.text;
    }
    this.names = after;
    this.durableNames = new Map(after);
  }

  /** What was added in pieces may have reached the disk up to somewhere. */
  private left({ text, durable, tears = false }: Inode): string {
    if (!tears || !text.startsWith(durable) || !this.tearing.chance(0.5)) return durable;
    return text.slice(0, this.tearing.whole(durable.length, text.length));
  }
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
