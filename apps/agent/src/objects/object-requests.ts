import type { Bus, Subscription } from '@skerry/bus';
import { siteObjectRequestSchema } from '@skerry/contracts';
import { answerSiteRequests } from '../datasets/site-requests.js';
import type { Log } from '../log.js';
import { operateObjects, type ObjectDesk } from './operate-objects.js';

export interface ObjectRequestsOptions extends ObjectDesk {
  /** Whether this agent speaks for the site. */
  acting: () => boolean;
  log: Log;
}

/** Answers what people ask of the site's objects. All of it may be done again: a part lies where it lay, an object is what it was. */
export function answerObjectRequests(bus: Bus, options: ObjectRequestsOptions): Subscription {
  return answerSiteRequests(bus, {
    about: 'object',
    schema: siteObjectRequestSchema,
    operate: async (operation) => await operateObjects(options, operation),
    once: () => false,
    acting: options.acting,
    log: options.log,
  });
}
