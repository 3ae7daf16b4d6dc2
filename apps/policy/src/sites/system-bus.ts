import type { FactoryProvider } from '@nestjs/common';
import { connectBus, type Bus } from '@skerry/bus';
import { inboxPrefix } from '@skerry/contracts';
import { loadCloudIdentity, type CloudIdentity } from '@skerry/identity';
import { CONFIG, JsonLog } from '@skerry/service';
import type { PolicyConfig } from '../config.js';

/** The connection of policy's user in the system account. */
export const SYSTEM_BUS: unique symbol = Symbol.for('skerry.policy.system-bus');
/** The cloud's keys. */
export const IDENTITY: unique symbol = Symbol.for('skerry.policy.identity');

export const systemBusProvider: FactoryProvider<Bus> = {
  provide: SYSTEM_BUS,
  inject: [CONFIG, JsonLog],
  useFactory: (config: PolicyConfig, log: JsonLog) =>
    connectBus({
      servers: [...config.natsUrls],
      name: `policy-sys ${config.instance}`,
      inboxPrefix: inboxPrefix('policy-sys'),
      credsFile: config.sysCreds,
      firstConnectMs: Infinity,
      ...(config.natsCa === undefined ? {} : { caFile: config.natsCa }),
      onAlarm: ({ what, subject, error }) => log.error(what, error, { subject }),
    }),
};

export const identityProvider: FactoryProvider<CloudIdentity> = {
  provide: IDENTITY,
  inject: [CONFIG],
  useFactory: (config: PolicyConfig) => loadCloudIdentity(config.identityDir),
};
