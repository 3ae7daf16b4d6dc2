import { constants } from 'node:fs';
import { DiskError, theTimeline, type SimDisk, type SimFile } from '@skerry/sim';
import { host } from '../hosts.js';

/** `node:fs/promises` over the disk of the machine that the simulated process runs on: as much of it as agents use. */

const TAKES_MS = [0.02, 0.5] as const;
const SYNC_TAKES_MS = [0.5, 12] as const;

/** What a process has asked for and does not live to see was not done. */
function later<T>(
  work: (disk: SimDisk) => T,
  [least, most]: readonly [number, number] = TAKES_MS,
): Promise<T> {
  const { current } = theTimeline();
  const { disk } = host().machine;
  return new Promise((resolve, reject) => {
    current.timeline.after(current.random.between(least, most), current, () => {
      try {
        resolve(work(disk));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

export const readFile = (path: string, how?: string) =>
  later((disk) => (how === undefined ? Buffer.from(disk.read(path), 'latin1') : disk.read(path)));
export const readdir = (path: string) => later((disk) => disk.list(path));
export const chmod = () => Promise.resolve();
export const rename = (from: string, to: string) => later((disk) => disk.rename(from, to));
export const mkdir = (path: string) => later((disk) => disk.makeFolder(path));
export const appendFile = (path: string, text: string) =>
  later((disk) => {
    disk.create(path, 'a');
    disk.append(path, text);
  });
export const writeFile = (path: string, text: string) =>
  later((disk) => {
    disk.create(path, 'w');
    disk.append(path, text);
  });

export function rm(path: string, options: { force?: boolean } = {}): Promise<void> {
  return later((disk) => {
    if (!disk.remove(path) && options.force !== true) throw new DiskError('ENOENT', path);
  });
}

export function stat(path: string) {
  return later((disk) => {
    if (!disk.has(path)) throw new DiskError('ENOENT', path);
    return { size: disk.isFolder(path) ? 0 : disk.read(path).length, mtimeMs: Date.now() };
  });
}
export const lstat = stat;

export async function open(path: string, flags: string | number = 'r') {
  const file = await later((disk) => {
    const how = typeof flags === 'number' ? wordOf(flags) : flags;
    if (how === 'w' || how === 'wx') disk.create(path, how);
    else if (how === 'a' || how === 'a+') disk.create(path, 'a');
    // A folder is opened to be synced.
    return disk.isFolder(path) ? undefined : disk.open(path);
  });
  const here = (): SimFile => {
    if (file === undefined) throw new DiskError('ENOTDIR', path);
    return file;
  };
  const sync = () => later((disk) => (file === undefined ? disk.sync(path) : file.sync()), SYNC_TAKES_MS);
  return {
    writeFile: (text: string) => later((disk) => disk.append(path, text)),
    // A character of the simulated disk is a byte, whatever it means.
    write: (bytes: Uint8Array, from = 0) =>
      later(() => ({
        bytesWritten: here().write(Buffer.from(bytes.subarray(from)).toString('latin1')),
      })),
    read: (buffer: Buffer, offset: number, length: number, position: number) =>
      later(() => ({
        bytesRead: buffer.write(
          here()
            .read()
            .slice(position, position + length),
          offset,
          'latin1',
        ),
      })),
    stat: () => later(() => ({ size: here().read().length, mode: 0o600, isFile: () => true })),
    readFile: () => later(() => here().read()),
    truncate: (length: number) => later(() => here().truncate(length)),
    sync,
    datasync: sync,
    close: () => Promise.resolve(),
  };
}

/** The flags of a new file, or of one that is only added to. */
function wordOf(flags: number): 'w' | 'a' | 'r' {
  if ((flags & constants.O_TRUNC) !== 0) return 'w';
  return (flags & constants.O_CREAT) === 0 ? 'r' : 'a';
}

export const truncate = (path: string) => later((disk) => disk.create(path, 'w'));
export const copyFile = (from: string, to: string) =>
  later((disk) => {
    const text = disk.read(from);
    disk.create(to, 'w');
    disk.append(to, text);
  });

/** A simulated disk says that it is full when it is written to. */
export const statfs = () => Promise.resolve({ bavail: 2 ** 30, bsize: 4096 });
export const access = (path: string) =>
  later((disk) => {
    if (!disk.has(path)) throw new DiskError('ENOENT', path);
  });
export const link = (from: string, to: string) =>
  later((disk) => {
    const text = disk.read(from);
    disk.create(to, 'wx');
    disk.append(to, text);
  });
