import { ownershipSchema, type Ownership } from '@skerry/contracts';
import { Transport, type TransportOptions } from '../transport.js';
import { KeyValues } from './key-values.js';
import { SiteLog } from './site-log.js';
import { SiteObjects } from './site-objects.js';

/** About 8 s in all: an agent that is started again answers before. */
const TRIES = 8;

type Environment = Readonly<Record<string, string | undefined>>;

/** This process was not told how to reach an agent: it is no replica of a workload. */
export class NoAgent extends Error {
  override readonly name = 'NoAgent';
}

/**
 * What an application reaches at the agent of its machine: the datasets of its project, at local speed, cut off or not.
 * Methods throw `ProblemError` when the agent refuses, `Unreachable` when it does not answer, `NotSkerry` when something else does.
 * An agent that is just started again is waited for, about 8 s, wherever nothing can be done twice by that.
 */
export class SiteData {
  private readonly transport: Transport;

  constructor(options: TransportOptions) {
    this.transport = new Transport({ tries: TRIES, ...options });
  }

  /** By SKERRY_AGENT_URL and SKERRY_AGENT_TOKEN, which each replica is given. Throws `NoAgent` when one is missing, and says which. */
  static fromEnvironment(
    environment: Environment = globalThis.process?.env ?? {},
    options: Omit<TransportOptions, 'url' | 'token'> = {},
  ): SiteData {
    const { SKERRY_AGENT_URL: url = '', SKERRY_AGENT_TOKEN: token = '' } = environment;
    const given = { SKERRY_AGENT_URL: url, SKERRY_AGENT_TOKEN: token };
    const missing = Object.entries(given).flatMap(([name, value]) => (value === '' ? [name] : []));
    if (missing.length === 0) return new SiteData({ ...options, url, token });
    throw new NoAgent(
      `${missing.join(' and ')} not set: a Skerry agent sets both for each replica that it runs with the driver process; run this as a workload, or give url and token`,
    );
  }

  /** A dataset with `type: keyvalue`; its project is the workload's own. */
  keyvalue(name: string): KeyValues {
    return new KeyValues(this.transport, name);
  }

  /** A dataset with `type: log`. */
  log(name: string): SiteLog {
    return new SiteLog(this.transport, name);
  }

  /** A dataset with `type: objects`; its keys are listed, watched and deleted with `keyvalue`, which shows what they hold as JSON. */
  objects(name: string): SiteObjects {
    return new SiteObjects(this.transport, name);
  }

  /** Of a singleton: what it fences its writes with, and how long it may act without asking again. Refused to any other replica. */
  async ownership(): Promise<Ownership> {
    const call = { method: 'GET' as const, path: 'v1/replica/epoch' };
    return (await this.transport.call(call, ownershipSchema)).value;
  }
}
