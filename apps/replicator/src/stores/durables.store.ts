import { Inject, Injectable } from '@nestjs/common';
import { TimedOut, type Bus } from '@skerry/bus';
import { desiredFilter, HUB, JETSTREAM_API, STREAMS, type Site } from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { z } from 'zod';

const STREAM = STREAMS.DL.name;
const SECOND_NS = 1_000_000_000;
const NOT_FOUND = 404;
const TIMEOUT_MS = 2_000;
/** Who has a consumer answers for it within milliseconds. */
const SILENT_MS = 750;

const answerSchema = z.looseObject({
  error: z.looseObject({ code: z.number(), description: z.string().default('') }).optional(),
});

/** The durable consumers on `DL`, one a site, named by the site's account: what the site's own stream sources from. */
@Injectable()
export class DurablesStore {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  /** Makes sure of a site's consumer. One that is there is left as it is, unless it is a different one. */
  async ensure(site: Site): Promise<void> {
    const create = JETSTREAM_API.durableCreate(STREAM, site.account);
    const body = { stream_name: STREAM, config: config(site) };
    if (!(await this.isSilent(site)) && (await this.ask(create, body)) === undefined) return;
    await this.remove(site).catch((error: unknown) => {
      // The server that had it is gone, and nobody answers for it: the name is free all the same.
      if (!(error instanceof TimedOut)) throw error;
    });
    const error = await this.ask(create, body);
    if (error !== undefined) throw new Error(`durable of site ${site.name}: ${error.description}`);
  }

  async remove(site: Site): Promise<void> {
    const error = await this.ask(JETSTREAM_API.consumerDelete(STREAM, site.account), {}, SILENT_MS);
    if (error !== undefined && error.code !== NOT_FOUND) {
      throw new Error(`durable of site ${site.name} not deleted: ${error.description}`);
    }
  }

  /** It has one copy: when that one's server is gone, nobody answers for it. */
  private async isSilent(site: Site): Promise<boolean> {
    try {
      await this.ask(JETSTREAM_API.consumerInfo(STREAM, site.account), {}, SILENT_MS);
      return false;
    } catch (error) {
      if (error instanceof TimedOut) return true;
      throw error;
    }
  }

  private async ask(
    subject: string,
    body: object,
    timeoutMs = TIMEOUT_MS,
  ): Promise<z.infer<typeof answerSchema>['error']> {
    return answerSchema.parse((await this.bus.request(subject, body, { timeoutMs })).json()).error;
  }
}

/**
 * In file storage, since a restart of the hub would else leave the site deaf. The heartbeat stays below the 10 s after
 * which a source takes its consumer for dead.
 */
function config(site: Site): object {
  return {
    name: site.account,
    durable_name: site.account,
    deliver_subject: HUB.delivery(site.account),
    filter_subject: desiredFilter(site.name),
    ack_policy: 'flow_control',
    flow_control: true,
    idle_heartbeat: 5 * SECOND_NS,
    max_deliver: -1,
    deliver_policy: 'last_per_subject',
    replay_policy: 'instant',
    num_replicas: 1,
    mem_storage: false,
  };
}
