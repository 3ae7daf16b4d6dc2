import { open, type FileHandle } from 'node:fs/promises';

/** How folders are made last from now on, in all of this process; `sync` is what the disk does. Returns what undoes it. */
export async function syncFoldersBy(
  instead: (sync: () => Promise<void>) => Promise<void>,
): Promise<() => void> {
  const files = await methodsOfFiles();
  const before = Object.getOwnPropertyDescriptor(files, 'sync') ?? {};
  const sync = async (file: FileHandle): Promise<void> => await Reflect.apply(before.value, file, []);
  Object.defineProperty(files, 'sync', {
    ...before,
    async value(this: FileHandle) {
      const isFolder = (await this.stat()).isDirectory();
      await (isFolder ? instead(async () => await sync(this)) : sync(this));
    },
  });
  return () => Object.defineProperty(files, 'sync', before);
}

/** What files hold does not last from now on, in all of this process. Returns what undoes it. */
export async function failDataSync(): Promise<() => void> {
  const files = await methodsOfFiles();
  const before = Object.getOwnPropertyDescriptor(files, 'datasync') ?? {};
  const value = async () => await Promise.reject(new Error('EIO: i/o error, fdatasync'));
  Object.defineProperty(files, 'datasync', { ...before, value });
  return () => Object.defineProperty(files, 'datasync', before);
}

/** The next write of this process ends halfway: there is no room. */
export async function nextWriteEndsHalfway(): Promise<void> {
  const files = await methodsOfFiles();
  const before = Object.getOwnPropertyDescriptor(files, 'write') ?? {};
  Object.defineProperty(files, 'write', {
    ...before,
    async value(this: FileHandle, bytes: Uint8Array, at: number) {
      Object.defineProperty(files, 'write', before);
      await this.write(bytes, at, Math.ceil((bytes.length - at) / 2));
      throw new Error('ENOSPC: no space left on device, write');
    },
  });
}

/** What all open files have in common. */
async function methodsOfFiles(): Promise<object> {
  const file = await open('.', 'r');
  try {
    return Reflect.getPrototypeOf(file) ?? {};
  } finally {
    await file.close();
  }
}
