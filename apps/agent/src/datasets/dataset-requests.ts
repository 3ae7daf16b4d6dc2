import type { Bus, Subscription } from '@skerry/bus';
import { DATASET_READS, siteDatasetRequestSchema } from '@skerry/contracts';
import type { Log } from '../log.js';
import { operateForPeople } from '../sealing/ask-by-people.js';
import type { Sealing } from '../sealing/sealing.js';
import type { Copies } from './copies.js';
import { answerSiteRequests } from './site-requests.js';

export interface DatasetRequestsOptions {
  copies: Copies;
  sealing: Sealing;
  /** Whether this agent speaks for the site. */
  acting: () => boolean;
  log: Log;
}

/** Answers what people ask of the site's copies. A write is done once, however often its request comes. */
export function answerDatasetRequests(
  bus: Bus,
  { copies, sealing, acting, log }: DatasetRequestsOptions,
): Subscription {
  return answerSiteRequests(bus, {
    about: 'dataset',
    schema: siteDatasetRequestSchema,
    operate: async (operation) => await operateForPeople(copies, operation, sealing),
    once: ({ verb }) => !DATASET_READS.has(verb),
    acting,
    log,
  });
}
