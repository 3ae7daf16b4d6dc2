import { BackupStore, openTarget, pruneBackups } from '@skerry/backup';
import { CommandFailed, EXIT } from '../exit-codes.js';
import type { Terminal } from '../output/terminal.js';
import { keyFor } from './backup-access.js';
import { placeOf, sameStore, shown, type StoreFlags } from './backup.js';

export interface PruneFlags extends StoreFlags {
  keep?: number;
  /** RFC 3339. */
  olderThan?: string;
  yes?: boolean;
}

/** `skerry backup prune`: says what would go, and with `--yes` removes it. */
export async function pruneAll(terminal: Terminal, flags: PruneFlags): Promise<void> {
  const { keep, olderThan } = flags;
  if (keep === undefined && olderThan === undefined)
    throw new CommandFailed(
      EXIT.usage,
      'which backups are to go is not said',
      '--keep N (so many of the newest stay), --older-than TIME, or both: then only what is both goes',
    );
  const place = placeOf(flags);
  const preview = flags.yes !== true;
  const pruned = await shown(terminal, async (onProgress) => {
    const store = await BackupStore.open(await openTarget(place, process.env), await keyFor(flags));
    return await pruneBackups(store, {
      ...(keep === undefined ? {} : { keep }),
      ...(olderThan === undefined ? {} : { before: Date.parse(olderThan) }),
      preview,
      onProgress,
    });
  });
  const { gone, kept, chunks } = pruned;
  terminal.result({ preview, ...pruned }, () => {
    if (gone.length > 0)
      terminal.table(
        ['BACKUP', 'MADE'],
        gone.map(({ id, createdAt }) => [id, createdAt]),
      );
    const what = `${gone.length} of ${gone.length + kept.length} backups, and ${chunks} chunks that no other needs`;
    terminal.say(preview ? `would go: ${what}` : `gone: ${what}`);
  });
  const same = sameStore(place, flags);
  if (preview && gone.length + chunks > 0)
    terminal.next(`skerry backup prune ${same} ${rulesOf(flags)} --yes`);
  else terminal.next(`skerry backup ls ${same}`);
}

function rulesOf({ keep, olderThan }: PruneFlags): string {
  const rules = [
    ...(keep === undefined ? [] : [`--keep ${keep}`]),
    ...(olderThan === undefined ? [] : [`--older-than ${olderThan}`]),
  ];
  return rules.join(' ');
}
