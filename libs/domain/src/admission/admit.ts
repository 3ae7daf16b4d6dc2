import { admitApply } from './apply.js';
import { admitDatasetRemove } from './datasets.js';
import { admitQuotaRemove, admitQuotaSet } from './quotas.js';
import {
  admitNodeSet,
  admitSiteAdd,
  admitSiteCordon,
  admitSiteDrain,
  admitSiteRecall,
  admitSiteRemove,
} from './sites.js';
import { admitRecover } from './recover.js';
import { admitDatasetRecover } from './recover-dataset.js';
import { refuseRole } from './roles.js';
import type { Admission, AdmissionRequest, AdmissionState, AdmissionTools } from './types.js';
import { admitRemove, admitScale, admitStop } from './workloads.js';

/**
 * Decides on a command: who may, and whether what is asked for obeys the rules. The same command on the same state always
 * gets the same answer, and a command that was applied already answers the same again without writing.
 */
export function admit(request: AdmissionRequest, state: AdmissionState, tools: AdmissionTools): Admission {
  const { actor, body } = request.command;
  const refused = refuseRole(actor, body.verb);
  if (refused) return refused;
  switch (body.verb) {
    case 'workload.apply':
      return admitApply(body, request, state, tools);
    case 'workload.scale':
      return admitScale(body, request, state, tools);
    case 'workload.stop':
      return admitStop(body, true, request, state);
    case 'workload.start':
      return admitStop(body, false, request, state);
    case 'workload.remove':
      return admitRemove(body, request, state);
    case 'workload.recover':
      return admitRecover(body, request, state, tools);
    case 'dataset.remove':
      return admitDatasetRemove(body, request, state);
    case 'dataset.recover':
      return admitDatasetRecover(body, request, state, tools);
    case 'site.add':
      return admitSiteAdd(body.site, request, state);
    case 'site.remove':
      return admitSiteRemove(body, request, state);
    case 'site.cordon':
      return admitSiteCordon(body, request, state);
    case 'site.drain':
      return admitSiteDrain(body, request, state);
    case 'site.recall':
      return admitSiteRecall(body, request, state);
    case 'node.set':
      return admitNodeSet(body, request, state);
    case 'node.remove':
      return admitNodeSet({ ...body, rule: 'removed' }, request, state);
    case 'quota.set':
      return admitQuotaSet(body, request, state);
    case 'quota.remove':
      return admitQuotaRemove(body, request, state);
    default:
      return body satisfies never;
  }
}
