import { z } from 'zod';
import { instantSchema, keysOf } from './primitives.js';

/** Every event of `skerry.evt.>`: noun and past tense, who says it, and what its `data` holds. */
export const EVENT_TYPES = {
  'workload.admitted': { by: 'policy', data: 'the Workload as accepted' },
  'workload.removed': { by: 'policy', data: 'the Workload as removed' },
  'dataset.admitted': { by: 'policy', data: 'the Dataset as accepted' },
  'dataset.removed': { by: 'policy', data: 'the Dataset as removed' },
  'command.rejected': { by: 'policy', data: 'the failed Outcome' },
  'site.added': { by: 'policy', data: 'the Site' },
  'site.joined': { by: 'policy', data: 'the Site' },
  'site.changed': { by: 'policy', data: 'the Site' },
  'site.removed': { by: 'policy', data: 'the Site' },
  'site.suspended': { by: 'policy', data: 'the Site, cut off for sending more than its quota' },
  'quota.changed': { by: 'policy', data: 'the Quota; without limits when it was removed' },
  'workload.placed': { by: 'scheduler', data: 'the Placement' },
  'workload.unplaceable': { by: 'scheduler', data: 'the Placement, with the reasons' },
  'workload.moved': { by: 'scheduler', data: 'the Placement' },
  'site.ready': { by: 'inventory', data: 'the SiteState' },
  'site.suspect': { by: 'inventory', data: 'the SiteState' },
  'site.lost': { by: 'inventory', data: 'the SiteState' },
  'inventory.alarmed': { by: 'inventory', data: 'why nothing is moved' },
  'workload.starting': { by: 'telemetry', data: 'phase and counts' },
  'workload.running': { by: 'telemetry', data: 'phase and counts' },
  'workload.degraded': { by: 'telemetry', data: 'phase and counts' },
  'workload.stopped': { by: 'telemetry', data: 'phase and counts' },
  'workload.completed': { by: 'telemetry', data: 'phase and counts' },
  'workload.failed': { by: 'telemetry', data: 'phase and counts' },
  'workload.gone': { by: 'telemetry', data: 'phase and counts: nothing of it runs any more' },
} as const;
export type EventType = keyof typeof EVENT_TYPES;
export const eventTypeSchema = z.enum(keysOf(EVENT_TYPES));

/** A CloudEvent 1.0 in structured JSON. `type` is `dev.skerry.<noun>.<past tense>.v1`; `subject` is `<project>/<name>` or a site. */
export const eventSchema = z.strictObject({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string(),
  type: z.string().regex(/^dev\.skerry\.[a-z]+\.[a-z]+\.v1$/),
  subject: z.string(),
  time: instantSchema,
  datacontenttype: z.literal('application/json'),
  traceparent: z.string().optional(),
  data: z.unknown(),
});
export type SkerryEvent = z.infer<typeof eventSchema>;

export interface EventDraft {
  type: EventType;
  project?: string | undefined;
  name: string;
  /** What makes it once only, with type and noun: a version or a revision. */
  version: string;
  at: string;
  traceparent?: string | undefined;
  data: unknown;
}

/** The event a draft stands for; its id is made of type, noun and version, so that it is neither missed nor doubled. */
export function makeEvent(draft: EventDraft): SkerryEvent {
  const subject = draft.project === undefined ? draft.name : `${draft.project}/${draft.name}`;
  return {
    specversion: '1.0',
    id: `${draft.type}/${subject}/${draft.version}`,
    source: `/skerry/${EVENT_TYPES[draft.type].by}`,
    type: `dev.skerry.${draft.type}.v1`,
    subject,
    time: draft.at,
    datacontenttype: 'application/json',
    ...(draft.traceparent ? { traceparent: draft.traceparent } : {}),
    data: draft.data,
  };
}
