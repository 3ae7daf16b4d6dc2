import { Option, type Command } from 'commander';
import type { BackupLogFlags } from './commands/backup-log.js';
import type { PruneFlags } from './commands/backup-prune.js';
import type { CreateFlags, RestoreFlags, StoreFlags } from './commands/backup.js';
import { moment, several, wholeNumber } from './option-values.js';
import type { ActHere, GlobalOptions } from './program.js';

/** `skerry backup …`: speaks to the hub's servers alone, so that it works when no service does. */
export function addBackupCommands(program: Command, run: ActHere): void {
  const backup = program
    .command('backup')
    .description('keep what the centre knows, and bring it back when its disks are gone')
    .addHelpText('after', KEYS);
  const of = () => import('./commands/backup.js');
  const globals = () => program.opts<GlobalOptions>();

  withHub(withStore(backup.command('create'), '--to', 'where to'))
    .description('back up now; only what changed since the last one takes room')
    .option('--history', 'also what happened: events, decisions, dead letters, journals of sites')
    .option('--dataset <name>', 'also what this dataset holds, project/name; may be repeated', several)
    .option('--datasets', 'also what all datasets hold that may rest there')
    .option('--identity <folder>', "also the cloud's keys in policy's folder, but not operator.seed")
    .option('--in <jurisdiction>', 'where the backups are kept, for residency; may be repeated', several, [])
    .action((o: CreateFlags) => run(async (t) => (await of()).createOne(t, globals(), o)));
  withStore(backup.command('ls'), '--from', 'where they are')
    .description('all backups there')
    .action((o: StoreFlags) => run(async (t) => (await of()).listAll(t, o)));
  withStore(backup.command('verify'), '--from', 'where it is')
    .description('read a backup back and check every bit of it')
    .addOption(id())
    .action((o: StoreFlags) => run(async (t) => (await of()).verifyOne(t, o)));
  withStore(backup.command('log <dataset>'), '--from', 'where they are')
    .description('a log (project/dataset) as it was at a time, put together of the backups; changes nothing')
    .requiredOption(
      '--until <time>',
      'without what was written later: a moment, or so long ago, such as 2h',
      moment,
    )
    .action((name: string, o: BackupLogFlags) =>
      run(async (t) => (await import('./commands/backup-log.js')).readLog(t, name, o)),
    );
  withStore(backup.command('prune'), '--from', 'where they are')
    .description('remove old backups, and what no other needs; without --yes it only says which')
    .option('--keep <n>', 'so many of the newest stay', wholeNumber(1, 100_000))
    .option('--older-than <time>', 'only what was made before: so long ago, such as 90d, or a moment', moment)
    .option('--yes', 'remove them')
    .action((o: PruneFlags) => run(async (t) => (await import('./commands/backup-prune.js')).pruneAll(t, o)));
  withHub(withStore(backup.command('restore'), '--from', 'where it is'))
    .description('put a backup into a hub that has nothing; services have to be stopped')
    .addOption(id())
    .option('--force', 'into a hub that holds something, which is deleted first')
    .option('--identity <folder>', "write the cloud's keys there, where the backup has them")
    .option('--replicas <n>', 'copies of each stream: 3 on a hub of three', wholeNumber(1, 5), 1)
    .action((o: RestoreFlags) => run(async (t) => (await of()).restoreOne(t, globals(), o)));
  backup
    .command('key <file>')
    .description('make the key that backups are encrypted with')
    .action((file: string) => run(async (t) => (await of()).makeKey(t, file)));
}

const id = () => new Option('--id <backup>', 'which one; default: the newest');

function withStore(command: Command, flag: string, says: string): Command {
  return command
    .addOption(
      new Option(`${flag} <place>`, `${says}: a folder, or s3://bucket/prefix`).env('SKERRY_BACKUP_PLACE'),
    )
    .addOption(new Option('--key-file <file>', 'the key').env('SKERRY_BACKUP_KEY_FILE'));
}

function withHub(command: Command): Command {
  return command
    .option('--nats <urls>', "the hub's servers; default: those of the context")
    .option('--ca <file>', 'the authority of their certificates; default: that of the context')
    .addOption(
      new Option(
        '--creds <file>',
        "who asks; default: backup.creds or restore.creds beside the operator's",
      ).env('SKERRY_BACKUP_CREDS'),
    );
}

const KEYS = `
Backups are always encrypted. The key comes from --key-file (mode 0600), SKERRY_BACKUP_KEY_FILE, or the variable
SKERRY_BACKUP_KEY; never from an argument. Whoever loses the key has lost every backup made with it: keep a copy
elsewhere than the backups, and elsewhere than the hub.

s3://bucket/prefix is any S3-compatible store: AWS_ENDPOINT_URL is its address without the bucket, AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY say who asks, AWS_REGION is us-east-1 unless given. The bucket has to be there.`;
