import type { Bus } from '@skerry/bus';
import { host } from '../hosts.js';

/** In place of a connection over the network: to the server of the site whose machine asks. */
export function connectBus(): Promise<Bus> {
  return Promise.resolve(host().connect());
}
