import { Injectable } from '@nestjs/common';
import type { CopiesRequest, Site } from '@skerry/contracts';
import { ruleOfCopies, withCopyEvent, withRefusals } from '@skerry/domain';
import { CopiesStore, type DatasetRef } from '../stores/copies.store.js';
import { CopyAuditStore } from '../stores/copy-audit.store.js';

const RULE_CHARS = 400;
const WHY_CHARS = 300;

/** Notes since when a site may have a copy and by which rule, when that was over, and what was refused there. */
@Injectable()
export class AuditCopies {
  constructor(
    private readonly copies: CopiesStore,
    private readonly audit: CopyAuditStore,
  ) {}

  start(): void {
    this.copies.onRefused((site, ref, refusal) => this.refused(site, ref, refusal));
    this.audit.start();
  }

  async stop(): Promise<void> {
    this.copies.onRefused(() => undefined);
    await this.audit.stop();
  }

  /** A site is told which copies or logs it has and which no more. */
  told(site: Site, { has, gone }: { has: readonly DatasetRef[]; gone: readonly DatasetRef[] }): void {
    for (const ref of has) this.given(site, ref);
    for (const ref of gone) this.taken(site, ref);
  }

  /** What a site's agent refused to workloads there since it said so last. Who makes up names fills nothing. */
  heard(site: Site, { refused = [] }: CopiesRequest): void {
    for (const { project, name, ...refusal } of refused)
      if (this.copies.wasNamed({ project, name }))
        this.audit.note({ project, name }, site.name, (audit) => withRefusals(audit, [refusal]));
  }

  private refused(site: Site, ref: DatasetRef, { what, why }: { what: string; why: string }): void {
    if (!this.copies.wasNamed(ref)) return;
    const at = new Date().toISOString();
    const refusal = {
      what,
      why: why.slice(0, WHY_CHARS),
      by: `site ${site.name}`,
      first: at,
      last: at,
      count: 1,
    };
    this.audit.note(ref, site.name, (audit) => withRefusals(audit, [refusal]));
  }

  private given(site: Site, ref: DatasetRef): void {
    const { name, jurisdictions } = site;
    const dataset = this.copies.current(ref);
    if (dataset === undefined) return;
    const area = this.copies.areaOf(dataset, site);
    const here = area === undefined ? '' : `of area ${area}: `;
    const rule = `${here}${ruleOfCopies(dataset.spec)}`.slice(0, RULE_CHARS);
    const { incarnation } = dataset;
    const event = { at: new Date().toISOString(), what: 'given' as const, incarnation, rule, jurisdictions };
    this.audit.note(dataset, name, (audit) => withCopyEvent(audit, event));
  }

  private taken(site: Site, ref: DatasetRef): void {
    const { name, jurisdictions } = site;
    const rule = this.copies.whyNot(ref, site).slice(0, RULE_CHARS);
    const event = { at: new Date().toISOString(), what: 'taken' as const, rule, jurisdictions };
    this.audit.note(ref, name, (audit) => withCopyEvent(audit, { ...event, incarnation: ref.incarnation }));
  }
}
