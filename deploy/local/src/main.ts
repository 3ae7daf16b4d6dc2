import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureNatsServer } from '@skerry/nats-server';
import pc from 'picocolors';
import { MAX_NODES } from './cloud-file.js';
import { LocalCloud } from './cloud.js';
import { applyExamples, waitUntilRunning } from './examples.js';
import { cloudHome } from './paths.js';
import { Progress } from './progress.js';
import { exampleSites, roundTripFromHub } from './sites.js';
import { nextCommands, placementTable } from './table.js';

const USAGE = `npm start [-- options]   brings up a cloud on this machine

  --wan             put the measured round trips on the links between hub and sites
  --listen ADDRESS  let sites on other machines join: listen on ADDRESS (0.0.0.0 for all)
  --no-examples     do not apply the example workloads
  --hub 3           a hub of three servers, for a cloud that is founded by this start
  --nodes N         N nodes at each site (1 to 16), for a cloud that is founded by this start
  --instances N     N processes of each service (1 to 3)
  --redis URL       keep the read model in Redis
  --help            this text

Set SKERRY_HOME to keep the cloud somewhere else than in .skerry, and
OTEL_EXPORTER_OTLP_ENDPOINT to send traces to an OpenTelemetry collector.
`;
const EXIT_USAGE = 2;
const MAX_INSTANCES = 3;
/** Where the hub stands with `--wan`. */
const HUB_AT = 'eu-de';

interface Options {
  wan: boolean;
  listen: string | undefined;
  examples: boolean;
  redis: string | undefined;
  hub: 1 | 3 | undefined;
  instances: number;
  nodes: number;
}

/** What was asked for cannot be: said in one line, with exit code 2. */
class Usage extends Error {
  constructor(problem: string) {
    super(`${problem}; \`npm start -- --help\` shows what there is`);
  }
}

function readOptions(argv: string[]): Options | 'help' {
  requireNotSwallowed(process.env);
  const values = parsedOptions(argv);
  if (values.help) return 'help';
  if (values.redis !== undefined && !/^rediss?:$/.test(protocolOf(values.redis))) {
    throw new Usage('--redis wants an address such as redis://127.0.0.1:6379');
  }
  const { wan, listen, redis } = values;
  const [hub, instances] = [hubSize(values.hub), Number(values.instances)];
  if (!(instances >= 1 && instances <= MAX_INSTANCES))
    throw new Usage(`--instances wants 1 to ${MAX_INSTANCES}`);
  const nodes = Number(values.nodes);
  if (!(nodes >= 1 && nodes <= MAX_NODES)) throw new Usage(`--nodes wants 1 to ${MAX_NODES}`);
  return { wan, listen, examples: !values['no-examples'], redis, hub, instances, nodes };
}

function hubSize(text: string | undefined): 1 | 3 | undefined {
  switch (text) {
    case undefined:
      return undefined;
    case '1':
      return 1;
    case '3':
      return 3;
    default:
      throw new Usage('--hub wants 1 or 3: two servers stop when either of them is lost');
  }
}

/** Without `--` npm takes an option for its own, and tells it only by the environment. */
function requireNotSwallowed(env: NodeJS.ProcessEnv): void {
  const [swallowed] = ['wan', 'listen', 'examples', 'redis', 'hub', 'instances', 'nodes'].filter(
    (name) => env[`npm_config_${name}`] !== undefined,
  );
  if (swallowed === undefined) return;
  const option = swallowed === 'examples' ? 'no-examples' : swallowed;
  throw new Usage(`npm took --${option} for an option of its own: write \`npm start -- --${option}\``);
}

function parsedOptions(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        wan: { type: 'boolean', default: false },
        listen: { type: 'string' },
        'no-examples': { type: 'boolean', default: false },
        redis: { type: 'string' },
        hub: { type: 'string' },
        instances: { type: 'string', default: '1' },
        nodes: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (cause) {
    // Node's first sentence names the option; the rest speaks of positional arguments.
    throw new Usage(cause instanceof Error ? (cause.message.split(/\. |\n/)[0] ?? '') : String(cause));
  }
}

const protocolOf = (url: string) => (URL.canParse(url) ? new URL(url).protocol : '');

/** Variables of tracing and of Redis that services and agents get. */
function sharedEnv(options: Options): Record<string, string> {
  const otel = Object.entries(process.env).filter(
    ([name, value]) => name.startsWith('OTEL_') && value !== undefined,
  );
  return { ...Object.fromEntries(otel), ...(options.redis ? { REDIS_URL: options.redis } : {}) };
}

async function run(options: Options, root: string, stopped: AbortSignal): Promise<LocalCloud> {
  const progress = new Progress(process.stdout);
  progress.begin('looking for a nats-server');
  const nats = await ensureNatsServer({ log: (line) => progress.update(line) });
  progress.update(`nats-server ${nats.version} (${sourceText(nats.from)}: ${nats.path})`);
  const examples = resolve(root, 'deploy', 'examples');
  const sites = await exampleSites(examples);
  const home = cloudHome(root, process.env);
  progress.begin('starting the cloud');
  const cloud = await LocalCloud.start({
    home,
    programs: { root, natsServer: nats.path, env: sharedEnv(options) },
    sites,
    signal: stopped,
    instances: options.instances,
    nodes: () => options.nodes,
    ...(options.hub === undefined ? {} : { hub: options.hub }),
    ...(options.wan ? { wanRttMs: roundTripFromHub(sites, HUB_AT) } : {}),
    ...(options.listen === undefined ? {} : { listen: options.listen }),
    onProgress: (line) => (/ ended \(| removed: /.test(line) ? progress.note(line) : progress.update(line)),
  });
  try {
    const say = (line: string) => progress.update(line);
    progress.begin('the services are up');
    const some =
      options.examples && (await applyExamples(cloud, resolve(examples, 'workloads'), { say, stopped }));
    progress.begin('waiting until the workloads run');
    const statuses = await waitUntilRunning(cloud, { say, stopped, some });
    progress.end();
    const table = statuses.length === 0 ? 'no workloads' : placementTable(statuses);
    process.stdout.write(`\n${table}\n\n${nextCommands(statuses, cloud, root)}\n`);
  } catch (cause) {
    progress.end();
    await cloud.stop();
    throw cause;
  }
  return cloud;
}

function sourceText(from: string): string {
  switch (from) {
    case 'NATS_SERVER':
      return 'given by NATS_SERVER';
    case 'PATH':
      return 'found on PATH';
    case 'release':
      return 'official release, checksum verified';
    default:
      return "Debian's package, signatures verified by apt";
  }
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  const stopping = new AbortController();
  const asked = new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        stopping.abort(new Error(`stopped by ${signal}`));
        done();
      });
    }
  });
  const cloud = await run(options, resolve(import.meta.dirname, '..', '..', '..'), stopping.signal).catch(
    (cause: unknown) => {
      if (stopping.signal.aborted) return undefined;
      throw cause;
    },
  );
  if (cloud === undefined) {
    process.stdout.write(
      '\nstopped before it was up; nothing is left running. Start it again with: npm start\n',
    );
    return 130;
  }
  await asked;
  process.stdout.write(`\n${pc.dim('stopping the cloud (its state stays on disk)')}\n`);
  await cloud.stop();
  process.stdout.write('stopped. Start it again with: npm start\n');
  return 0;
}

main().then(
  (code) => process.exit(code),
  (cause: unknown) => {
    process.stderr.write(
      `\n${pc.red('npm start failed:')} ${cause instanceof Error ? cause.message : String(cause)}\n`,
    );
    process.exit(cause instanceof Usage ? EXIT_USAGE : 1);
  },
);
