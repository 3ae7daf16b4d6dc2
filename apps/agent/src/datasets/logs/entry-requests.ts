import type { Bus, Subscription } from '@skerry/bus';
import { siteLogRequestSchema } from '@skerry/contracts';
import type { Log } from '../../log.js';
import { answerSiteRequests } from '../site-requests.js';
import type { EntryLogs } from './entry-logs.js';
import { operateLogForPeople } from './operate-log.js';

export interface EntryRequestsOptions {
  logs: EntryLogs;
  /** Whether this agent speaks for the site. */
  acting: () => boolean;
  log: Log;
}

/** Answers what people ask of the site's logs. What they append is appended once, however often the request comes. */
export function answerEntryRequests(bus: Bus, { logs, acting, log }: EntryRequestsOptions): Subscription {
  return answerSiteRequests(bus, {
    about: 'log',
    schema: siteLogRequestSchema,
    operate: async (operation) => await operateLogForPeople(logs, operation),
    once: ({ verb }) => verb === 'append',
    acting,
    log,
  });
}
