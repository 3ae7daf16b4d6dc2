import { allVariables, startService, type RunningService, type ServiceDefinition } from './service.js';
import { parseConfig, type BaseConfig, type ConfigOf, type Variables } from './config.js';
import { PortTaken } from './health-server.js';
import { JsonLog } from './json-log.js';

/** Milliseconds that a drain may take before the process ends without it. */
export const DRAIN_MS = 10_000;
/** Exit code when the configuration was refused (EX_CONFIG of sysexits.h). */
export const EXIT_CONFIG = 78;

/**
 * The main function of a service: reads its configuration from the environment (refused: every problem on standard error,
 * exit 78), starts it, drains it on SIGTERM or SIGINT and exits 0, or 1 when that takes more than 10 s. An error that nobody
 * handled is logged and ends the process with 1: it starts again clean.
 */
export async function runService<V extends Variables>(definition: ServiceDefinition<V>): Promise<void> {
  const config = configOrExit(definition);
  const log = new JsonLog(definition.name, config.instance ?? '', config.logLevel);
  endOnUnhandled(log);
  let running: RunningService | undefined;
  let ending = false;
  const end = (signal: string) => {
    if (ending) return;
    ending = true;
    log.log('draining', { signal });
    setTimeout(() => fail(log, `the drain took more than ${DRAIN_MS} ms`), DRAIN_MS).unref();
    // Before it has started there is nothing in flight.
    void (running?.stop() ?? Promise.resolve()).then(() => process.exit(0));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  try {
    running = await startService(definition, config);
  } catch (error) {
    if (error instanceof PortTaken) refuse([error.message]);
    fail(log, `${definition.name} could not start`, error);
  }
}

function configOrExit<V extends Variables>(definition: ServiceDefinition<V>): ConfigOf<V> & BaseConfig {
  const parsed = parseConfig(allVariables(definition), process.env);
  if (!parsed.ok) {
    const lines = parsed.problems.map(({ variable, problem }) => `${variable}: ${problem}`);
    return refuse([`${definition.name}: the environment is not right:`, ...lines]);
  }
  return parsed.value;
}

function refuse(lines: string[]): never {
  process.stderr.write(`${lines.join('\n')}\n`);
  process.exit(EXIT_CONFIG);
}

function endOnUnhandled(log: JsonLog): void {
  process.on('unhandledRejection', (error) => fail(log, 'unhandled rejection', error));
  process.on('uncaughtException', (error) => fail(log, 'uncaught exception', error));
}

function fail(log: JsonLog, what: string, error?: unknown): never {
  log.fatal(what, error);
  process.exit(1);
}
