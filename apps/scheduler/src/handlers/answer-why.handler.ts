import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import {
  formatVersion,
  parse,
  Refusal,
  whyRequestSchema,
  type Placement,
  type SiteExplanation,
  type Why,
  type WhyRequest,
  type Workload,
} from '@skerry/contracts';
import { decideAgain, ENGINE, explanation, placeRequest, type Explanation, type Past } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { DecisionHistoryStore, type Kept } from '../stores/decision-history.store.js';
import { digestOf } from '../stores/digest.js';
import { rootOf } from '../stores/sites.store.js';
import { keyOf } from '../stores/workloads.store.js';
import { World } from '../stores/world.js';

/** Sites explained in full; of the others only what they failed, so that the answer fits one message. */
const FULL_MAX = 256;

/** What is answered, before the words are made. */
type Explained = Omit<Why, 'sites'> & { readonly explained: Explanation };

/** Explains a decision: made again from its recorded inputs, every site of it; where those are gone, by what is known now. */
@Injectable()
export class AnswerWhy {
  constructor(
    private readonly world: World,
    private readonly history: DecisionHistoryStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async handle(message: Message): Promise<Why> {
    const request = parse(whyRequestSchema, message.json());
    if (!request.ok) throw new Refusal('malformed', 'not a question why', { issues: request.issues });
    const { site } = request.value;
    const { explained, ...why } = await this.answer(request.value);
    if (site === undefined) return { ...why, sites: everySite(explained) };
    const one = explained.of(site);
    return { ...why, sites: one ? [one] : [] };
  }

  private async answer(request: WhyRequest): Promise<Explained> {
    const title = `${request.project}/${request.name}`;
    const newest = this.world.placements.get(keyOf(request));
    const workload = this.world.workloads.get(keyOf(request))?.workload;
    if (!newest || !workload) {
      throw new Refusal('not-found', `nothing was decided for ${title}`, { hint: 'skerry status' });
    }
    const kept = await this.history.find(newest, request);
    if (kept) return this.recorded(kept, workload) ?? this.current(kept.entry.placement, kept.workload);
    if (isNewest(newest, request)) return this.current(newest, workload);
    throw new Refusal('not-found', `that decision for ${title} is not kept any more`, {
      hint: 'decisions are kept for 30 days; without revision or moment the one that counts is explained',
    });
  }

  /** From what was recorded; undefined when that is not what the decision says that it was made of. */
  private recorded({ entry, workload, past }: Kept, workloadNow: Workload): Explained | undefined {
    const { placement } = entry;
    if (!past) return undefined;
    const { workload: workloadDigest, sites: sitesDigest } = placement.inputs;
    const snapshot = past.snapshot();
    if (digestOf(workload) !== workloadDigest || rootOf(snapshot.sites) !== sitesDigest) {
      this.log.error('the decision log does not hold what a decision was made of', {
        log: placement.inputs.log,
      });
      return undefined;
    }
    const { request, reproduced } = decideAgain(entry, workload, past);
    const sameEngine = placement.engine.version === ENGINE.version;
    if (!reproduced && sameEngine) {
      const version = formatVersion(placement.version);
      this.log.error('a decision made again came out otherwise', { workload: keyOf(workload), version });
    }
    return {
      placement,
      explained: explanation(request, snapshot, placement.shares),
      from: 'recorded',
      reproduced,
      engine: ENGINE.version,
      inputsChanged: digestOf(workloadNow) !== workloadDigest || this.changedSince(past, workload),
    };
  }

  private current(placement: Placement, workload: Workload): Explained {
    const input = this.world.inputFor(workload, this.world.clock.now());
    const inputs = input.inputs();
    return {
      placement,
      explained: explanation(placeRequest(input), input.snapshot, placement.shares),
      from: 'current',
      engine: ENGINE.version,
      inputsChanged: inputs.sites !== placement.inputs.sites || inputs.workload !== placement.inputs.workload,
    };
  }

  /** Whether any site, or what others hold there, is another now. */
  private changedSince(past: Past, workload: Workload): boolean {
    if (rootOf(past.snapshot().sites) !== this.world.sites.root()) return true;
    const { resources } = workload.spec;
    const key = keyOf(workload);
    const use = (ledger: typeof past.ledger, site: string) => ledger.use(site, resources, key).taken.join();
    return this.world.sites.all().some(({ name }) => use(past.ledger, name) !== use(this.world.ledger, name));
  }
}

function isNewest({ version, decidedAt }: Placement, { revision, at }: WhyRequest): boolean {
  if (revision !== undefined) return version.revision === revision;
  return at === undefined || Date.parse(decidedAt) <= Date.parse(at);
}

function everySite(explained: Explanation): SiteExplanation[] {
  return Array.from({ length: explained.size }, (_, i) => {
    const site = explained.ranked(i + 1);
    return i < FULL_MAX ? site : shortened(site);
  });
}

function shortened(site: SiteExplanation): SiteExplanation {
  return { ...site, checks: site.checks.filter((c) => !c.ok).slice(0, 2), terms: [] };
}
