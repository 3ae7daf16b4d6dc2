import { Inject, Injectable } from '@nestjs/common';
import type { Message } from '@skerry/bus';
import { parse, Refusal, whatIfBodySchema, type Plan, type Scenario, type Workload } from '@skerry/contracts';
import { siteFacts, withOwnLedger, type SiteFacts } from '@skerry/domain';
import { CONFIG } from '@skerry/service';
import type { SchedulerConfig } from '../config.js';
import { keyOf } from '../stores/workloads.store.js';
import { World } from '../stores/world.js';
import { figuresOf, planOf, together, type PlanItem } from './plan-of.js';
import { ProposeMoves } from './propose-moves.js';
import { Turns } from './turns.js';
import { Trial } from './trial.js';

/** Rounds in which what gives way may have others give way in turn. */
const WAVES_MAX = 8;

type SiteScenario = Extract<Scenario, { site: string }>;

/** Says what would be placed where in a scenario; commits nothing. Tried on a ledger of its own, in turns with everything else. */
@Injectable()
export class AnswerWhatIf {
  constructor(
    private readonly world: World,
    private readonly moves: ProposeMoves,
    @Inject(CONFIG) private readonly config: SchedulerConfig,
  ) {}

  async handle(message: Message): Promise<Plan> {
    const request = parse(whatIfBodySchema, message.json());
    if (!request.ok) throw new Refusal('malformed', 'not a scenario', { issues: request.issues });
    const { scenario } = request.value;
    switch (scenario.kind) {
      case 'without-site':
      case 'drain':
        return this.site(scenario);
      case 'rebalance':
        return (await this.moves.plan(this.moves.budget(scenario.maxMovesPercent))).plan;
      default:
        return scenario satisfies never;
    }
  }

  private async site(scenario: SiteScenario): Promise<Plan> {
    const touched = this.workloadsAt(scenario.site);
    const snapshot = withOwnLedger(this.world.snapshot());
    const sites = changed(snapshot.sites, scenario);
    const on = {
      snapshot: { ...snapshot, sites },
      now: this.world.clock.now(),
      term: this.world.placements.term(this.config.hubTerm),
    };
    const trial = new Trial(this.world, on);
    const turns = new Turns();
    const decided = new Map<string, PlanItem>();
    // What gives way to what has to move joins the end.
    for (let wave = touched, n = 0; wave.length > 0 && n < WAVES_MAX; wave = trial.gaveWay(), n += 1) {
      for (const workload of wave) {
        await turns.next();
        decided.set(keyOf(workload), trial.decide({ workload, change: 'update' }));
      }
    }
    const items = [...decided.values()].filter((item) => item.moves.length > 0);
    return planOf(scenario, undefined, items, {
      before: together(items.flatMap((i) => i.before ?? [])),
      after: together(items.map((i) => figuresOf(i.placement))),
      untouched: this.world.running().length - items.length,
    });
  }

  /** What holds something at the site, in the order in which it would be placed again. */
  private workloadsAt(site: string): Workload[] {
    if (!this.world.sites.get(site)) {
      throw new Refusal('not-found', `no site ${site}`, { hint: 'see `skerry site ls`' });
    }
    const workloads = [...this.world.ledger.keysAt(site)].flatMap(
      (key) => this.world.workloads.get(key)?.workload ?? [],
    );
    const priority = (w: Workload) => w.spec.placement.priority;
    return workloads.toSorted((a, b) => priority(b) - priority(a) || (keyOf(a) < keyOf(b) ? -1 : 1));
  }
}

function changed(sites: readonly SiteFacts[], scenario: SiteScenario): SiteFacts[] {
  const { kind, site: name } = scenario;
  if (kind === 'without-site') return sites.filter((s) => s.name !== name);
  return sites.map((s) => (s.name === name ? siteFacts({ ...s.site, draining: true }, s.state) : s));
}
