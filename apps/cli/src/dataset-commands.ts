import { Option, type Command } from 'commander';
import { copyDataset, type CopyDatasetOptions } from './commands/dataset-copy.js';
import { listConflicts, showLag } from './commands/dataset-lag.js';
import { verifyDataset } from './commands/dataset-verify.js';
import { appendEntries, tailEntries, type TailOptions } from './commands/dataset-logs.js';
import {
  getKey,
  putKey,
  removeDataset,
  watchDataset,
  whereIs,
  type AtSite,
  type PutOptions,
} from './commands/datasets.js';
import { proveDataset } from './commands/dataset-proof.js';
import { getFile, listAny, putFile, whereIsObject, type FileOptions } from './commands/objects.js';
import { duration, several, signedNumber, wholeNumber } from './option-values.js';
import type { Act } from './program.js';

const at = () => new Option('--at <site>', 'at this site; default: one that has a copy and is ready');

const VERIFY_MS = 20_000;

/** `skerry data …`. */
export function addDatasetCommands(program: Command, run: Act): void {
  const data = program.command('data').description('datasets: what they hold and where they are');
  addKeyCommands(data, run);
  addLogCommands(data, run);
  addCopyCommands(data, run);
}

/** What a dataset holds. */
function addKeyCommands(data: Command, run: Act): void {
  data
    .command('ls [dataset]')
    .description('all datasets, or the keys of one')
    .option('--prefix <text>', 'only keys that begin so')
    .addOption(at())
    .action((name: string | undefined, o: AtSite & { prefix?: string }) => run((s) => listAny(s, name, o)));
  data
    .command('get <dataset> <key>')
    .description('what a key holds')
    .option('--file <path>', 'an object, into this file')
    .addOption(at())
    .action((name: string, key: string, { file, ...o }: AtSite & { file?: string }) =>
      run((s) => (file === undefined ? getKey(s, name, key, o) : getFile(s, [name, key], { ...o, file }))),
    );
  data
    .command('put <dataset> <key> [value]')
    .description('write a value; or count, or change a set')
    .option('--count <n>', 'add so much to a counter; below 0 takes away', signedNumber)
    .option('--add <element>', 'into a set; may be repeated', several)
    .option('--remove <element>', 'out of a set; may be repeated', several)
    .option('--file <path>', 'a file, into a dataset of objects; goes on where it was cut off')
    .option('--content-type <type>', 'of the file; default: application/octet-stream')
    .option('--delete', 'the key goes')
    .option('--seen <context>', 'the context that `get --json` gave: replaces what was seen then')
    .addOption(at())
    .action((name: string, key: string, value: string | undefined, o: PutOptions & Partial<FileOptions>) =>
      run((s) =>
        o.file === undefined
          ? putKey(s, [name, key, value], o)
          : putFile(s, [name, key], { ...o, file: o.file }),
      ),
    );
  data
    .command('watch <dataset>')
    .description('changes as they come')
    .addOption(at())
    .action((name: string, o: AtSite) => run((s) => watchDataset(s, name, o)));
}

/** Entries of logs. */
function addLogCommands(data: Command, run: Act): void {
  data
    .command('append <dataset> [value]')
    .description('an entry of a log; with - or without a value, each line of standard input')
    .option(
      '--at <site>',
      'at this site; default: the centre for a log that it sends out, else a site that is ready',
    )
    .action((name: string, value: string | undefined, o: AtSite) =>
      run((s) => appendEntries(s, [name, value], o)),
    );
  data
    .command('tail <dataset>')
    .description('the newest entries of a log, as they came to the centre')
    .option('--site <site>', 'only what was written at this site')
    .option('-f, --follow', 'and those to come')
    .option('--since <duration>', 'all that was written since, such as 10m', duration)
    .option('-n, --lines <n>', 'so many of the newest', wholeNumber(1, 1_000), 20)
    .option('--at <site>', 'as this site has it')
    .action((name: string, o: TailOptions) => run((s) => tailEntries(s, name, o)));
}

/** Where copies are and how they stand. */
function addCopyCommands(data: Command, run: Act): void {
  data
    .command('proof <dataset>')
    .description('where copies are and were, since when, by which rule, and what was refused')
    .action((name: string) => run((s) => proveDataset(s, name)));
  data
    .command('where <dataset> [key]')
    .description('every copy, or one of an object, how it stands, and which rule allows it')
    .action((name: string, key: string | undefined) =>
      run((s) => (key === undefined ? whereIs(s, name) : whereIsObject(s, [name, key]))),
    );
  data
    .command('lag <dataset>')
    .description('how far each copy is behind, in records and in time')
    .action((name: string) => run((s) => showLag(s, name)));
  data
    .command('conflicts <dataset>')
    .description(
      'keys that hold several values, and who wrote each (keep-both); what a home wrote that was cut off (single-writer)',
    )
    .addOption(at())
    .action((name: string, o: AtSite) => run((s) => listConflicts(s, name, o)));
  data
    .command('verify <dataset>')
    .description('whether all copies hold the same; ends with 1 when they differ with nothing under way')
    .option('--timeout <time>', 'how long to wait until nothing is under way', duration, VERIFY_MS)
    .action((name: string, o: { timeout: number }) => run((s) => verifyDataset(s, name, o)));
  data
    .command('copy <dataset>')
    .description('all keys into a file, one JSON object a line; or such a file into a dataset, key by key')
    .option('--to <file>', 'write there; - is the standard output')
    .option('--from <file>', 'put what is in there; - is the standard input; counters are added to')
    .addOption(at())
    .action((name: string, o: CopyDatasetOptions) => run((s) => copyDataset(s, name, o)));
  data
    .command('rm <dataset>')
    .description('the dataset and all its records, everywhere')
    .action((name: string) => run((s) => removeDataset(s, name)));
}
