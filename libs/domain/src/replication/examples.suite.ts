import {
  exampleSite,
  exampleWorkload,
  workloadSpecSchema,
  type Site,
  type Workload,
} from '@skerry/contracts';

/** Whole objects for the tests of this room, from the few fields that matter there. */

export { examplePlacement as placement, exampleVersion as version } from '@skerry/contracts';

export const workload = (change: Partial<Workload> = {}, replicas = 1): Workload =>
  exampleWorkload({
    spec: workloadSpecSchema.parse({ run: { command: ['true'] }, placement: { replicas } }),
    ...change,
  });

export const site = (name: string, membership: Site['membership'] = 'joined'): Site =>
  exampleSite(name, { kind: 'onprem', jurisdictions: [], generation: 3, membership });
