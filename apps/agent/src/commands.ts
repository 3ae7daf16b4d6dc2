import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { reason } from './log.js';
import { runAgent } from './run.js';
import { AGENT_VERSION } from './version.js';

export const USAGE = `usage:
  skerry-agent run --dir DIR             run the agent of the site in DIR; its nats-server is run by somebody else
  skerry-agent up --dir DIR              run the site's nats-server and the agent
  skerry-agent join URL --pin PIN [--dir DIR]
                                         join as a new site, then \`up\`; the token comes by standard input or
                                         SKERRY_JOIN_TOKEN, never as an argument
  skerry-agent node NAME --dir DIR --server HOST:PORT [--address ADDRESS]
                                         make the folder of a further node of the site in DIR: copy it to that machine, and
                                         \`run\` it there; HOST:PORT is where that machine reaches the site's server
  skerry-agent version

Signals: SIGTERM and SIGINT end the agent and leave the replicas running; SIGUSR2 stops the replicas too.
`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Runs one command; resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    process.stderr.write(`skerry-agent: ${reason(error)}\n`);
    return error instanceof Usage ? EXIT_USAGE : EXIT_FAILED;
  }
}

class Usage extends Error {}

async function dispatch(argv: readonly string[]): Promise<number> {
  const [command = '', ...rest] = argv;
  switch (command) {
    case 'run':
      return await runAgent({ dir: dirOf(rest), withServer: false });
    case 'up':
      return await runAgent({ dir: dirOf(rest), withServer: true });
    case 'join': {
      const { join } = await import('./join/join.js');
      const { url, pin, dir } = joinOptions(rest);
      await join({ url, pin, dir });
      return await runAgent({ dir, withServer: true });
    }
    case 'node': {
      const { makeNodeFolder } = await import('./join/node-folder.js');
      const { folder, told } = await makeNodeFolder(nodeOptions(rest));
      const next = told ? '' : '; have the site’s server read leaf.conf again (SIGHUP)';
      process.stdout.write(`made ${folder}, a secret as a whole: move it to the new machine${next}\n`);
      return 0;
    }
    case 'version':
      process.stdout.write(`${AGENT_VERSION}\n`);
      return 0;
    case 'help':
    case '--help':
      process.stdout.write(USAGE);
      return 0;
    default:
      throw new Usage(`no command "${command}"\n${USAGE}`);
  }
}

function dirOf(argv: string[]): string {
  const { dir } = flags(argv, []).values;
  if (dir === undefined) throw new Usage(`--dir is missing\n${USAGE}`);
  return resolve(dir);
}

function joinOptions(argv: string[]): { url: string; pin: string; dir: string } {
  if (argv.some((a) => a.includes('skj_'))) {
    throw new Usage(
      'a token is no argument, since every user of this machine can read those: give it by standard input or SKERRY_JOIN_TOKEN',
    );
  }
  const { values, positionals } = flags(argv, ['URL']);
  const [url] = positionals;
  if (url === undefined || !URL.canParse(url)) throw new Usage(`the address to join at is missing\n${USAGE}`);
  if (values.pin === undefined) throw new Usage(`--pin is missing\n${USAGE}`);
  return { url, pin: values.pin, dir: resolve(values.dir ?? 'skerry-site') };
}

function nodeOptions(argv: string[]) {
  const { values, positionals } = flags(argv, ['NAME']);
  const [node] = positionals;
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(values.server ?? '') ?? [];
  if (node === undefined || values.dir === undefined || host === undefined)
    throw new Usage(`NAME, --dir and --server HOST:PORT are needed\n${USAGE}`);
  return { node, dir: resolve(values.dir), server: { host, port: Number(port) }, address: values.address };
}

function flags(argv: string[], positionals: string[]) {
  try {
    return parseArgs({
      args: argv,
      allowPositionals: positionals.length > 0,
      options: {
        dir: { type: 'string' },
        pin: { type: 'string' },
        server: { type: 'string' },
        address: { type: 'string' },
      },
    });
  } catch (error) {
    throw new Usage(`${reason(error)}\n${USAGE}`);
  }
}
