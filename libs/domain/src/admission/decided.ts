import { workloadKey, type Decided, type Workload } from '@skerry/contracts';
import { rejected, type Rejected } from './types.js';

/** The refusal of a change that was decided at a site without the hub, when here something else was decided meanwhile. */
export function refuseDecided(
  decided: Decided | undefined,
  known: readonly (Workload | undefined)[],
): Rejected | undefined {
  if (decided === undefined) return undefined;
  for (const workload of known) {
    if (workload === undefined || workload.removed) continue;
    const { project, name, updatedAt, requestId } = workload;
    if (decided.after.includes(requestId)) continue;
    if (decided.unknown.includes(workloadKey(project, name)))
      return conflict(`${project}/${name} was there already, and the site did not know of it`);
    if (Date.parse(updatedAt) > Date.parse(decided.at))
      return conflict(
        `${project}/${name} was changed after ${decided.at}, when the site decided without knowing`,
      );
  }
  return undefined;
}

function conflict(title: string): Rejected {
  return rejected('conflict', title, {
    hint: 'what was decided here counts; ask again if the change is still wanted',
  });
}
