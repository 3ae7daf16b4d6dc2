import { connectBus, type Bus } from '@skerry/bus';
import { inboxPrefix } from '@skerry/contracts';
import type { BaseConfig } from './config.js';
import type { JsonLog } from './json-log.js';

/** Connects an app to the hub as its own user, with an inbox prefix of its own. Goes on trying while the hub is away. */
export function connectToHub(app: string, config: BaseConfig, log: JsonLog): Promise<Bus> {
  return connectBus({
    servers: [...config.natsUrls],
    name: `${app} ${config.instance ?? ''}`.trim(),
    inboxPrefix: inboxPrefix(app),
    firstConnectMs: Infinity,
    replicas: config.natsReplicas,
    ...(config.natsCreds === undefined ? {} : { credsFile: config.natsCreds }),
    ...(config.natsCa === undefined ? {} : { caFile: config.natsCa }),
    onAlarm: ({ what, subject, error }) => log.error(what, error, { subject }),
  });
}
