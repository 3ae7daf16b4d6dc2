import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  HUB,
  parseAcross,
  Refusal,
  siteDatasetAnswerSchema,
  type Dataset,
  type DatasetAnswer,
  type DatasetOperation,
  type DatasetWhere,
  type Site,
  type SiteDatasetAnswer,
  type SiteDatasetRequest,
  type WorkloadRef,
} from '@skerry/contracts';
import { ruleOfCopies } from '@skerry/domain';
import { BUS } from '@skerry/service';
import { DatasetsStore } from '../stores/datasets.store.js';
import { FleetStore } from '../stores/fleet.store.js';
import { AskLogs } from './ask-logs.js';

/** How long a site has to answer; one that is asked for changes waits for them first. */
const ANSWER_MS = 5_000;
const STATE_MS = 2_000;

/** Asks sites for what their copies of datasets hold, or to write. The hub's own copy of the records is never read for people. */
@Injectable()
export class AskDatasets {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(DatasetsStore) private readonly datasets: DatasetsStore,
    @Inject(AskLogs) private readonly logs: AskLogs,
  ) {}

  all(): Dataset[] {
    return this.datasets.all();
  }

  /**
   * Has a site with a copy do it: the named one, else the one that writes, else one that is ready. `requestId` makes it safe to
   * ask for the same again.
   */
  async ask(
    operation: DatasetOperation,
    site: string | undefined,
    requestId: string,
  ): Promise<DatasetAnswer> {
    const dataset = this.datasets.one(operation);
    refuseLog(dataset);
    const at = site === undefined ? this.anySite(dataset) : this.namedSite(dataset, site);
    const waitMs = operation.verb === 'watch' ? operation.waitMs + ANSWER_MS : ANSWER_MS;
    const id = createHash('sha256').update(`${requestId} ${at.name}`).digest('hex').slice(0, 32);
    const answer = await this.answerOf(at, { id, operation }, waitMs);
    if (answer?.ok === true) return answer.answer;
    if (answer !== undefined) {
      const { code, title, issues, hint } = answer;
      throw new Refusal(code, title, { issues, ...(hint === undefined ? {} : { hint }) });
    }
    throw new Refusal('timeout', `site ${at.name} does not answer`, {
      hint: `ask another with --at; "skerry data where ${dataset.project}/${dataset.name}" says which have a copy`,
    });
  }

  /** Where copies are, by which rule, and how each stands. */
  async where(ref: WorkloadRef): Promise<DatasetWhere> {
    const dataset = this.datasets.one(ref);
    const views = this.fleet.views();
    const choices = views.map(({ site }) => ({ site, choice: this.datasets.copyAt(dataset, site) }));
    const copies = await Promise.all(
      choices.filter(({ choice }) => choice.ok).map(async ({ site }) => await this.copyOf(dataset, site)),
    );
    const without = choices.flatMap(({ site, choice }) =>
      choice.ok ? [] : [{ site: site.name, why: choice.why }],
    );
    return { dataset, rule: ruleOfCopies(dataset.spec), copies, without };
  }

  private async copyOf(dataset: Dataset, site: Site): Promise<DatasetWhere['copies'][number]> {
    const { project, name } = dataset;
    const chosen = this.datasets.copySet(dataset)?.copies.find((copy) => copy.site === site.name);
    const at = { site: site.name, jurisdictions: site.jurisdictions, ...(chosen ? { chosen } : {}) };
    if (dataset.spec.type === 'log') return { ...at, ...(await this.logs.stateAt(dataset, site)) };
    const id = randomBytes(16).toString('hex');
    const answer = await this.answerOf(site, { id, operation: { verb: 'state', project, name } }, STATE_MS);
    if (answer === undefined) return { ...at, problem: 'the site does not answer' };
    if (!answer.ok) return { ...at, problem: answer.title };
    return 'state' in answer.answer ? { ...at, state: answer.answer.state } : { ...at, problem: 'no state' };
  }

  private async answerOf(
    site: Site,
    request: SiteDatasetRequest,
    waitMs: number,
  ): Promise<SiteDatasetAnswer | undefined> {
    let heard: (answer: SiteDatasetAnswer | undefined) => void = () => undefined;
    const answered = new Promise<SiteDatasetAnswer | undefined>((resolve) => (heard = resolve));
    // The subject says which site answers, not what it says.
    const listening = this.bus.listen(HUB.answer(site.account, request.id), (message) => {
      const parsed = parseAcross(siteDatasetAnswerSchema, message.json());
      if (parsed.ok) heard(parsed.value);
    });
    const timer = setTimeout(() => heard(undefined), waitMs);
    try {
      this.bus.say(HUB.request(site.account, 'dataset'), request);
      return await answered;
    } finally {
      clearTimeout(timer);
      await listening.drain();
    }
  }

  private namedSite(dataset: Dataset, name: string): Site {
    const site = this.fleet.site(name);
    if (site === undefined || site.membership === 'removed')
      throw new Refusal('not-found', `no site ${name}`, { hint: 'see `skerry site ls`' });
    const choice = this.datasets.copyAt(dataset, site);
    if (choice.ok) return site;
    const code = choice.why.startsWith('residency') ? 'residency' : 'not-found';
    throw new Refusal(code, `no copy of ${dataset.project}/${dataset.name} at ${name}: ${choice.why}`, {
      hint: `"skerry data where ${dataset.project}/${dataset.name}" says where there are copies`,
    });
  }

  private anySite(dataset: Dataset): Site {
    const views = this.fleet.views().filter(({ site }) => this.datasets.copyAt(dataset, site).ok);
    const ready = views.filter(({ state }) => state?.phase === 'ready');
    const home = ready.find(({ site }) => site.name === dataset.spec.home);
    const found = home ?? ready[0] ?? views[0];
    if (found !== undefined) return found.site;
    throw new Refusal('unavailable', `no site has a copy of ${dataset.project}/${dataset.name}`);
  }
}

/** A log has entries, not keys. Throws a `Refusal`. */
export function refuseLog({ project, name, spec }: Dataset): void {
  if (spec.type !== 'log') return;
  throw new Refusal('invalid', `${project}/${name} is a log: it has entries, not keys`, {
    hint: `"skerry data tail ${project}/${name}" reads it, "skerry data append" writes to it, "skerry data where" says how its sites stand`,
  });
}
