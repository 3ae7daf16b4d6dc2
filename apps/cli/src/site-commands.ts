import { Option, type Command } from 'commander';
import {
  DEFAULT_EMPTY_WAIT_S,
  drainSite,
  retireSite,
  ruleNode,
  undoSite,
  type EmptyOptions,
} from './commands/emptying.js';
import { addSite, cordonSite, listNodes, listSites, reportSite, showSite } from './commands/sites.js';
import { degrees, duration, several, wholeNumber } from './option-values.js';
import type { Act } from './program.js';

/** `skerry site …` and `skerry node …`. */
export function addSiteCommands(program: Command, run: Act): void {
  const site = program.command('site').description('the places that run workloads');
  lookAndAdd(site, run);
  emptySites(site, run);
  nodeCommands(program.command('node').description('the machines at the sites'), run);
}

function lookAndAdd(site: Command, run: Act): void {
  site
    .command('ls')
    .description('all sites')
    .action(() => run((s) => listSites(s)));
  site
    .command('show <site>')
    .description('one site')
    .action((name: string) => run((s) => showSite(s, name)));
  site
    .command('add <name>')
    .description('add a site and print the line for its machine')
    .option('-f, --file <path>', 'its description: location, jurisdictions, prices, labels')
    .option('--address <host[:port]>', 'address of the api machine that the new one can reach')
    .option('--lat <degrees>', 'latitude', degrees(90))
    .option('--lon <degrees>', 'longitude', degrees(180))
    .option('--city <name>', 'city')
    .option('--country <code>', 'country, such as DE')
    .option('--kind <kind>', 'region, datacenter, colo, onprem or edge')
    .option('--provider <name>', 'who runs it')
    .option('--jurisdiction <area>', 'legal area such as eu; may be repeated', several, [])
    .option('--label <key=value>', 'may be repeated', several, [])
    .action((name: string, o: Parameters<typeof addSite>[2]) => run((s) => addSite(s, name, o)));
}

function emptySites(site: Command, run: Act): void {
  site
    .command('report <site>')
    .description('what happened there, above all while it was without the hub')
    .action((name: string) => run((s) => reportSite(s, name)));
  site
    .command('rm <site>')
    .alias('retire')
    .description('take a site out: its work moves, its machine is cleaned, its name is not used again')
    .option('--force', 'do not wait: the site is gone for good, and nothing runs there any more')
    .addOption(deadline('then nothing stays there, replaced or not'))
    .addOption(preview())
    .addOption(waitEmpty())
    .action((name: string, o: EmptyOptions & { force?: boolean }) => run((s) => retireSite(s, name, o)));
  site
    .command('drain <site>')
    .description('no new work there, and what runs there moves away once its replacement is healthy')
    .addOption(deadline('then only last healthy copies stay'))
    .addOption(preview())
    .addOption(waitEmpty())
    .action((name: string, o: EmptyOptions) => run((s) => drainSite(s, name, 'drain', o)));
  site
    .command('evacuate <site>')
    .description('as drain, but after the deadline nothing stays there (default 5m)')
    .addOption(deadline('then nothing stays there, replaced or not'))
    .addOption(preview())
    .addOption(waitEmpty())
    .action((name: string, o: EmptyOptions) => run((s) => drainSite(s, name, 'evacuate', o)));
  site
    .command('undo <site>')
    .description('take a drain, an evacuation or a removal back')
    .action((name: string) => run((s) => undoSite(s, name)));
  site
    .command('cordon <site>')
    .description('no new work there')
    .action((name: string) => run((s) => cordonSite(s, name, true)));
  site
    .command('uncordon <site>')
    .description('new work again')
    .action((name: string) => run((s) => cordonSite(s, name, false)));
}

function nodeCommands(node: Command, run: Act): void {
  node
    .command('ls')
    .description('all nodes')
    .action(() => run((s) => listNodes(s)));
  node
    .command('cordon <site/node>')
    .description('no new work there')
    .action((name: string) => run((s) => ruleNode(s, name, 'cordoned')));
  node
    .command('uncordon <site/node>')
    .description('new work again; takes a drain back')
    .action((name: string) => run((s) => ruleNode(s, name, undefined)));
  node
    .command('drain <site/node>')
    .description('no new work there, and what runs there goes elsewhere')
    .addOption(preview())
    .addOption(waitEmpty())
    .action((name: string, o: EmptyOptions) => run((s) => ruleNode(s, name, 'draining', o)));
  node
    .command('rm <site/node>')
    .description('take a node out for good: its name is not used again')
    .addOption(preview())
    .addOption(waitEmpty())
    .action((name: string, o: EmptyOptions) => run((s) => ruleNode(s, name, 'removed', o)));
}

const deadline = (then: string) =>
  new Option('--deadline <time>', `such as 90s, 10m, 2h; ${then}`).argParser(duration);
const preview = () => new Option('--plan', 'show what would go where, and do nothing');
const waitEmpty = () =>
  new Option('--wait [seconds]', `until nothing is left (default ${DEFAULT_EMPTY_WAIT_S})`).argParser(
    wholeNumber(1, 86_400),
  );
