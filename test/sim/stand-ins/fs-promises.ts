import { DiskError, theTimeline, type SimDisk } from '@skerry/sim';
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

export const readFile = (path: string) => later((disk) => disk.read(path));
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
  await later((disk) => {
    if (flags === 'w' || flags === 'wx') disk.create(path, flags);
    else if (flags === 'a' || flags === 'a+') disk.create(path, 'a');
    else if (!disk.has(path)) throw new DiskError('ENOENT', path);
  });
  return {
    writeFile: (text: string) => later((disk) => disk.append(path, text)),
    // A character of the simulated disk is a byte, whatever it means.
    write: (bytes: Uint8Array, from = 0) =>
      later((disk) => ({
        bytesWritten: disk.write(path, Buffer.from(bytes.subarray(from)).toString('latin1')),
      })),
    read: (buffer: Buffer, offset: number, length: number, position: number) =>
      later((disk) => ({
        bytesRead: buffer.write(disk.read(path).slice(position, position + length), offset, 'latin1'),
      })),
    stat: () => later((disk) => ({ size: disk.read(path).length })),
    truncate: (length: number) => later((disk) => disk.truncate(path, length)),
    sync: () => later((disk) => disk.sync(path), SYNC_TAKES_MS),
    datasync: () => later((disk) => disk.sync(path), SYNC_TAKES_MS),
    close: () => Promise.resolve(),
  };
}

export const truncate = (path: string) => later((disk) => disk.create(path, 'w'));
export const copyFile = (from: string, to: string) =>
  later((disk) => {
    const text = disk.read(from);
    disk.create(to, 'w');
    disk.append(to, text);
  });

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
