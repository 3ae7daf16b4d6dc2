import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  Refusal,
  siteObjectAnswerSchema,
  type Dataset,
  type ObjectAnswer,
  type ObjectOperation,
  type ObjectWhere,
  type Site,
  type SiteObjectAnswer,
  type SiteObjectRequest,
  type WorkloadRef,
} from '@skerry/contracts';
import { ruleOfCopies } from '@skerry/domain';
import { BUS } from '@skerry/service';
import { DatasetsStore } from '../stores/datasets.store.js';
import { FleetStore } from '../stores/fleet.store.js';
import { askSite } from './ask-site.js';

/** How long a site has to answer: one that reads what is not there brings it first, one that finishes an upload cuts it. */
const ANSWER_MS = 12_000;
const STATE_MS = 2_000;

/** Asks sites for the objects of their copies, or to make one. No byte of them is kept here. */
@Injectable()
export class AskObjects {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(DatasetsStore) private readonly datasets: DatasetsStore,
  ) {}

  /** Has a site with a copy do it: the named one, or one that is ready. `requestId` makes it safe to ask for the same again. */
  async ask(operation: ObjectOperation, at: string | undefined, requestId: string): Promise<ObjectAnswer> {
    const dataset = this.objects(operation);
    const site = at === undefined ? this.anySite(dataset) : this.namedSite(dataset, at);
    const id = createHash('sha256').update(`${requestId} ${site.name}`).digest('hex').slice(0, 32);
    return told(await this.atSite(site, { id, operation }, ANSWER_MS), site);
  }

  /** Where an object is: whole, in part or not, at each site with a copy of its dataset. */
  async where(ref: WorkloadRef, key: string): Promise<ObjectWhere> {
    const dataset = this.objects(ref);
    const choices = this.fleet
      .views()
      .map(({ site }) => ({ site, choice: this.datasets.copyAt(dataset, site) }));
    const copies = await Promise.all(
      choices.filter(({ choice }) => choice.ok).map(async ({ site }) => await this.at(site, dataset, key)),
    );
    const without = choices.flatMap(({ site, choice }) =>
      choice.ok ? [] : [{ site: site.name, why: choice.why }],
    );
    return { key, rule: ruleOfCopies(dataset.spec), copies, without };
  }

  private async at(
    site: Site,
    { project, name }: Dataset,
    key: string,
  ): Promise<ObjectWhere['copies'][number]> {
    const place = { site: site.name, jurisdictions: site.jurisdictions };
    const request = {
      id: randomBytes(16).toString('hex'),
      operation: { verb: 'state' as const, project, name, key },
    };
    const answer = await this.atSite(site, request, STATE_MS);
    if (answer === undefined) return { ...place, problem: 'the site does not answer' };
    if (!answer.ok) return { ...place, problem: answer.title };
    return 'object' in answer.answer
      ? { ...place, object: answer.answer.object }
      : { ...place, problem: 'no state' };
  }

  private async atSite(
    site: Site,
    request: SiteObjectRequest,
    waitMs: number,
  ): Promise<SiteObjectAnswer | undefined> {
    return await askSite(this.bus, site, { verb: 'object', request, answer: siteObjectAnswerSchema, waitMs });
  }

  private objects(ref: WorkloadRef): Dataset {
    const dataset = this.datasets.one(ref);
    if (dataset.spec.type === 'objects') return dataset;
    throw new Refusal('invalid', `${dataset.project}/${dataset.name} is of type ${dataset.spec.type}`, {
      hint: 'files go into a dataset with type: objects',
    });
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
    const found = views.find(({ state }) => state?.phase === 'ready') ?? views[0];
    if (found !== undefined) return found.site;
    throw new Refusal('unavailable', `no site has a copy of ${dataset.project}/${dataset.name}`);
  }
}

function told(answer: SiteObjectAnswer | undefined, site: Site): ObjectAnswer {
  if (answer === undefined)
    throw new Refusal('timeout', `site ${site.name} does not answer`, { hint: 'name another with --at' });
  if (answer.ok) return answer.answer;
  const { code, title, issues, hint } = answer;
  throw new Refusal(code, title, { issues, ...(hint === undefined ? {} : { hint }) });
}
