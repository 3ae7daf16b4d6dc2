import { Option, type Command } from 'commander';
import {
  getKey,
  listDatasets,
  putKey,
  removeDataset,
  watchDataset,
  whereIs,
  type AtSite,
  type PutOptions,
} from './commands/datasets.js';
import { several, signedNumber } from './option-values.js';
import type { Act } from './program.js';

const at = () => new Option('--at <site>', 'at this site; default: one that has a copy and is ready');

/** `skerry data …`. */
export function addDatasetCommands(program: Command, run: Act): void {
  const data = program.command('data').description('datasets: what they hold and where they are');
  data
    .command('ls [dataset]')
    .description('all datasets, or the keys of one')
    .option('--prefix <text>', 'only keys that begin so')
    .addOption(at())
    .action((name: string | undefined, o: AtSite & { prefix?: string }) =>
      run((s) => listDatasets(s, name, o)),
    );
  data
    .command('get <dataset> <key>')
    .description('what a key holds')
    .addOption(at())
    .action((name: string, key: string, o: AtSite) => run((s) => getKey(s, name, key, o)));
  data
    .command('put <dataset> <key> [value]')
    .description('write a value; or count, or change a set')
    .option('--count <n>', 'add so much to a counter; below 0 takes away', signedNumber)
    .option('--add <element>', 'into a set; may be repeated', several)
    .option('--remove <element>', 'out of a set; may be repeated', several)
    .option('--delete', 'the key goes')
    .option('--context <text>', 'as `get --json` gave it: replaces what was seen then')
    .addOption(at())
    .action((name: string, key: string, value: string | undefined, o: PutOptions) =>
      run((s) => putKey(s, [name, key, value], o)),
    );
  data
    .command('watch <dataset>')
    .description('changes as they come')
    .addOption(at())
    .action((name: string, o: AtSite) => run((s) => watchDataset(s, name, o)));
  data
    .command('where <dataset>')
    .description('every copy, how it stands, and which rule allows it')
    .action((name: string) => run((s) => whereIs(s, name)));
  data
    .command('rm <dataset>')
    .description('the dataset and all its records, everywhere')
    .action((name: string) => run((s) => removeDataset(s, name)));
}
