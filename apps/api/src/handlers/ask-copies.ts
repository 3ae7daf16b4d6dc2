import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import { Refusal, type Dataset, type Site, type SiteAnswer } from '@skerry/contracts';
import { copyMayBe, fixedHome, originOf, ruleOfCopies } from '@skerry/domain';
import { BUS } from '@skerry/service';
import type { z } from 'zod';
import { DatasetsStore } from '../stores/datasets.store.js';
import { FleetStore } from '../stores/fleet.store.js';
import { askSite } from './ask-site.js';

/** How long a site has to say how its copy stands. */
const STATE_MS = 2_000;

/** Something to ask of a site's part of a dataset. */
export interface Question<A> {
  /** Names the request: `dl.req.<verb>`. */
  verb: 'dataset' | 'object' | 'log';
  operation: object;
  answer: z.ZodType<SiteAnswer<A>>;
  /** A site that has given its copy up may answer too: what was set aside there stays for people. */
  ofGivenUp?: boolean;
}

type Found<T> = { site: string; jurisdictions: string[] } & (T | { problem: string });

/** Asks sites for what they have of datasets. No byte of it is kept here. */
@Injectable()
export class AskCopies {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(FleetStore) private readonly fleet: FleetStore,
    @Inject(DatasetsStore) private readonly datasets: DatasetsStore,
  ) {}

  /**
   * Has a site with a copy do it: the one named by `at`, else the one that writes, else one that is ready. `requestId` makes it
   * safe to ask for the same again. Throws a `Refusal`: the site's own, or `timeout` after `waitMs`.
   */
  async ask<A>(
    dataset: Dataset,
    question: Question<A>,
    { at, requestId, waitMs }: { at: string | undefined; requestId: string; waitMs: number },
  ): Promise<A> {
    const site =
      at === undefined ? this.anySite(dataset) : this.namedSite(dataset, at, question.ofGivenUp === true);
    const id = createHash('sha256').update(`${requestId} ${site.name}`).digest('hex').slice(0, 32);
    const answer = await this.atSite(site, question, { id, waitMs });
    if (answer?.ok === true) return answer.answer;
    if (answer !== undefined) {
      const { code, title, issues, hint } = answer;
      throw new Refusal(code, title, { issues, ...(hint === undefined ? {} : { hint }) });
    }
    throw new Refusal('timeout', `site ${site.name} does not answer`, {
      hint: `ask another with --at; "skerry data where ${shown(dataset)}" says which have a copy`,
    });
  }

  /** Asks every site with a copy, and tells why the others have none. What `read` does not find is a problem of that copy. */
  async everywhere<A, T extends object>(
    dataset: Dataset,
    question: Question<A>,
    read: (answer: A) => T | undefined,
  ): Promise<{ rule: string; copies: Found<T>[]; without: { site: string; why: string }[] }> {
    const choices = this.fleet
      .views()
      .map(({ site }) => ({ site, choice: this.datasets.copyAt(dataset, site) }));
    const copies = await Promise.all(
      choices
        .filter(({ choice }) => choice.ok)
        .map(async ({ site }): Promise<Found<T>> => {
          const { name, jurisdictions } = site;
          return { site: name, jurisdictions, ...(await this.stateAt(site, question, read)) };
        }),
    );
    const without = choices.flatMap(({ site, choice }) =>
      choice.ok ? [] : [{ site: site.name, why: choice.why }],
    );
    return { rule: ruleOfCopies(dataset.spec), copies, without };
  }

  private async stateAt<A, T extends object>(
    site: Site,
    question: Question<A>,
    read: (answer: A) => T | undefined,
  ): Promise<T | { problem: string }> {
    const id = randomBytes(16).toString('hex');
    const answer = await this.atSite(site, question, { id, waitMs: STATE_MS });
    if (answer === undefined) return { problem: 'the site does not answer' };
    if (!answer.ok) return { problem: answer.title };
    return read(answer.answer) ?? { problem: 'no state' };
  }

  private async atSite<A>(
    site: Site,
    { verb, operation, answer }: Question<A>,
    { id, waitMs }: { id: string; waitMs: number },
  ): Promise<SiteAnswer<A> | undefined> {
    const request = { id, operation };
    return await askSite(this.bus, site, { verb, request, answer, waitMs });
  }

  private namedSite(dataset: Dataset, name: string, ofGivenUp: boolean): Site {
    const site = this.fleet.site(name);
    if (site === undefined || site.membership === 'removed')
      throw new Refusal('not-found', `no site ${name}`, { hint: 'see `skerry site ls`' });
    const choice = ofGivenUp ? copyMayBe(dataset.spec, site) : this.datasets.copyAt(dataset, site);
    if (choice.ok) return site;
    const code = choice.why.startsWith('residency') ? 'residency' : 'not-found';
    throw new Refusal(code, `no copy of ${shown(dataset)} at ${name}: ${choice.why}`, {
      hint: `"skerry data where ${shown(dataset)}" says where there are copies`,
    });
  }

  private anySite(dataset: Dataset): Site {
    refuseAnyArea(dataset);
    const views = this.fleet.views().filter(({ site }) => this.datasets.copyAt(dataset, site).ok);
    const ready = views.filter(({ state }) => state?.phase === 'ready');
    const writer = fixedHome(dataset.spec) ?? this.datasets.homeNow(dataset)?.site;
    const home = ready.find(({ site }) => site.name === writer);
    const found = home ?? ready[0] ?? views[0];
    if (found !== undefined) return found.site;
    throw new Refusal('unavailable', `no site has a copy of ${shown(dataset)}`);
  }
}

/** Where each area has its own value, and a write stays in the area of its site, nobody but who asks can choose. */
function refuseAnyArea(dataset: Dataset): void {
  const rule = originOf(dataset.spec.residency);
  if (rule === undefined) return;
  throw new Refusal(
    'invalid',
    `${shown(dataset)} has records of its own in each of ${rule.among.join(', ')}`,
    {
      hint: `name a site with --at; "skerry data where ${shown(dataset)}" says which holds what`,
    },
  );
}

function shown({ project, name }: Dataset): string {
  return `${project}/${name}`;
}
