import { FolderTarget } from './folder-target.js';
import type { Target } from './target.js';
import { BackupTrouble } from './trouble.js';

const S3 = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9._/-]*?))?\/*$/;

/** The place that a text names: a folder, or `s3://bucket/prefix` with its address and keys in the environment. */
export async function openTarget(place: string, env: NodeJS.ProcessEnv): Promise<Target> {
  const [, bucket, prefix = ''] = S3.exec(place) ?? [];
  if (bucket !== undefined) {
    // An address would be shortened by them, and a list asks for the prefix as it is: what was written was never found again.
    if (prefix.split('/').some((part) => part === '.' || part === '..'))
      throw new BackupTrouble(`backups are not kept at ${place}`, 'a prefix without "." and ".." is wanted');
    // Who keeps backups in a folder never loads it.
    const { S3Target, s3AccessIn } = await import('./s3-target.js');
    return new S3Target(place, { bucket, prefix }, s3AccessIn(env));
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(place))
    throw new BackupTrouble(`backups are not kept at ${place}`, 'a folder, or s3://bucket/prefix, is wanted');
  return new FolderTarget(place);
}
