import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  logAnswerSchema,
  parseAcross,
  Refusal,
  RPC,
  siteLogAnswerSchema,
  type Dataset,
  type DatasetWhere,
  type LogAnswer,
  type LogOperation,
  type Site,
  type SiteLogAnswer,
} from '@skerry/contracts';
import { copyAt } from '@skerry/domain';
import { BUS } from '@skerry/service';
import { DatasetsStore } from '../stores/datasets.store.js';
import { FleetStore } from '../stores/fleet.store.js';
import { askSite } from './ask-site.js';

const ANSWER_MS = 5_000;
const STATE_MS = 2_000;

/** Asks for what logs hold, or to append to them: the centre, or a site. */
@Injectable()
export class AskLogs {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(DatasetsStore) private readonly datasets: DatasetsStore,
  ) {}

  /**
   * Has the named site do it. Without: what is read is read at the centre, and what is appended to a log that goes from the centre
   * to the sites is written there; to any other at a site that is ready. `requestId` makes it safe to ask for the same again.
   */
  async ask(operation: LogOperation, at: string | undefined, requestId: string): Promise<LogAnswer> {
    const dataset = this.datasets.one(operation);
    const ref = `${dataset.project}/${dataset.name}`;
    if (dataset.spec.type !== 'log')
      throw new Refusal('invalid', `${ref} is no log but ${dataset.spec.type}`, {
        hint: `it has keys: "skerry data ls ${ref}"`,
      });
    const centre = at === undefined && (operation.verb === 'tail' || dataset.spec.log?.flow === 'broadcast');
    if (centre) return await this.atCentre(operation, requestId);
    const site = at === undefined ? this.anySite(dataset) : this.namedSite(dataset, at);
    const waitMs = ANSWER_MS + (operation.verb === 'tail' ? operation.waitMs : 0);
    const id = createHash('sha256').update(`${requestId} ${site.name}`).digest('hex').slice(0, 32);
    return told(await this.atSite(site, { id, operation }, waitMs), site);
  }

  /** How a site's part of a log stands. */
  async stateAt(
    { project, name }: Dataset,
    site: Site,
  ): Promise<Pick<DatasetWhere['copies'][number], 'state' | 'problem'>> {
    const id = randomBytes(16).toString('hex');
    const answer = await this.atSite(site, { id, operation: { verb: 'state', project, name } }, STATE_MS);
    if (answer === undefined) return { problem: 'the site does not answer' };
    if (!answer.ok) return { problem: answer.title };
    return 'state' in answer.answer ? { state: answer.answer.state } : { problem: 'no state' };
  }

  private async atSite(site: Site, request: { id: string; operation: LogOperation }, waitMs: number) {
    return await askSite(this.bus, site, { verb: 'log', request, answer: siteLogAnswerSchema, waitMs });
  }

  private async atCentre(operation: LogOperation, requestId: string): Promise<LogAnswer> {
    const timeoutMs = ANSWER_MS + (operation.verb === 'tail' ? operation.waitMs : 0);
    const message = await this.bus.request(RPC.centreLog, { id: requestId, operation }, { timeoutMs });
    const answer = parseAcross(logAnswerSchema, message.json());
    if (answer.ok) return answer.value;
    throw new Refusal('internal', 'the replicator answered something else');
  }

  private namedSite(dataset: Dataset, name: string): Site {
    const site = this.fleet.site(name);
    if (site === undefined || site.membership === 'removed')
      throw new Refusal('not-found', `no site ${name}`, { hint: 'see `skerry site ls`' });
    const choice = copyAt(dataset.spec, site);
    if (choice.ok) return site;
    const code = choice.why.startsWith('residency') ? 'residency' : 'not-found';
    throw new Refusal(code, `${dataset.project}/${dataset.name} is not at ${name}: ${choice.why}`, {
      hint: `"skerry data where ${dataset.project}/${dataset.name}" says at which sites it is`,
    });
  }

  private anySite(dataset: Dataset): Site {
    const views = this.fleet.views().filter(({ site }) => copyAt(dataset.spec, site).ok);
    const found = views.find(({ state }) => state?.phase === 'ready') ?? views[0];
    if (found !== undefined) return found.site;
    throw new Refusal('unavailable', `${dataset.project}/${dataset.name} is at no site`);
  }
}

function told(answer: SiteLogAnswer | undefined, site: Site): LogAnswer {
  if (answer === undefined)
    throw new Refusal('timeout', `site ${site.name} does not answer`, { hint: 'name another with --at' });
  if (answer.ok) return answer.answer;
  const { code, title, issues, hint } = answer;
  throw new Refusal(code, title, { issues, ...(hint === undefined ? {} : { hint }) });
}
