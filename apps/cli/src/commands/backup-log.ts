import { BackupStore, openTarget, readLogAt } from '@skerry/backup';
import { nameSchema } from '@skerry/contracts';
import { CommandFailed, EXIT } from '../exit-codes.js';
import type { Terminal } from '../output/terminal.js';
import { keyFor } from './backup-access.js';
import { placeOf, sameStore, shown, type StoreFlags } from './backup.js';
import { jsonOf, textOf } from './dataset-logs.js';

export interface BackupLogFlags extends StoreFlags {
  /** RFC 3339. */
  until: string;
}

/** `skerry backup log PROJECT/DATASET --until TIME`: the log as it was then. */
export async function readLog(terminal: Terminal, dataset: string, flags: BackupLogFlags): Promise<void> {
  const ref = refIn(dataset);
  const place = placeOf(flags);
  const then = await shown(terminal, async (onProgress) => {
    const store = await BackupStore.open(await openTarget(place, process.env), await keyFor(flags));
    return await readLogAt(store, ref, { until: Date.parse(flags.until), onProgress });
  });
  const gaps = then.gaps.map((gap) => ({ gap }));
  for (const item of [...gaps, ...then.entries])
    terminal.result(jsonOf(item), () => terminal.say(textOf(item, terminal.colours.dim)));
  const { length } = then.entries;
  terminal.note(
    `${length} ${length === 1 ? 'entry' : 'entries'} until ${flags.until}, of ${then.backups.length} backups`,
  );
  terminal.next(`skerry backup ls ${sameStore(place, flags)}`, `skerry data tail ${dataset}`);
}

function refIn(text: string): { project: string; name: string } {
  const [project = '', name = '', ...more] = text.split('/');
  const ok = more.length === 0 && [project, name].every((part) => nameSchema.safeParse(part).success);
  if (ok) return { project, name };
  throw new CommandFailed(
    EXIT.usage,
    `${text} is no log`,
    'a log is named PROJECT/DATASET, as in shop/orders',
  );
}
