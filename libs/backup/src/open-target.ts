import { FolderTarget } from './folder-target.js';
import type { Target } from './target.js';
import { BackupTrouble } from './trouble.js';

/** The place that a text names: a folder. */
export function openTarget(place: string): Target {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(place))
    throw new BackupTrouble(`backups are not kept at ${place}`, 'a folder is wanted');
  return new FolderTarget(place);
}
