import { Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import { parse, Refusal, whyRequestSchema, type SiteExplanation, type Why } from '@skerry/contracts';
import { ENGINE, explain, placeRequest } from '@skerry/domain';
import { keyOf } from '../stores/workloads.store.js';
import { World } from '../stores/world.js';

/** Sites explained in full; of the others only what they failed, so that the answer fits one message. */
const FULL_MAX = 256;

/** Explains what is placed: the decision as it was committed, and every site by the inputs now known. */
@Injectable()
export class AnswerWhy {
  constructor(private readonly world: World) {}

  handle(message: Message): Why {
    const request = parse(whyRequestSchema, message.json());
    if (!request.ok) throw new Refusal('malformed', 'not a workload', { issues: request.issues });
    const key = keyOf(request.value);
    const placement = this.world.placements.get(key);
    const known = this.world.workloads.get(key);
    if (!placement || !known) {
      throw new Refusal(
        'not-found',
        `nothing was decided for ${request.value.project}/${request.value.name}`,
        {
          hint: 'skerry status',
        },
      );
    }
    const input = this.world.inputFor(known.workload, Date.now());
    const sites = explain(placeRequest(input), input.snapshot, placement.shares);
    const inputs = input.inputs();
    return {
      placement,
      sites: sites.map((s, i) => (i < FULL_MAX ? s : shortened(s))),
      from: 'current',
      engine: ENGINE.version,
      inputsChanged: inputs.sites !== placement.inputs.sites || inputs.workload !== placement.inputs.workload,
    };
  }
}

function shortened(site: SiteExplanation): SiteExplanation {
  return { ...site, checks: site.checks.filter((c) => !c.ok).slice(0, 2), terms: [] };
}
