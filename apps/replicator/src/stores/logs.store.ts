import { Injectable } from '@nestjs/common';
import {
  logSpecSchema,
  type Dataset,
  type LogItem,
  type LogRule,
  type LogSpec,
  type Site,
} from '@skerry/contracts';
import { entriesGivenIn, originOf } from '@skerry/domain';
import { CopiesStore, type DatasetRef } from './copies.store.js';

/** Datasets of `type: log`, and which site may have which. */
@Injectable()
export class LogsStore {
  constructor(private readonly copies: CopiesStore) {}

  all(): Dataset[] {
    return [...this.copies.all()].filter((dataset) => dataset.spec.type === 'log');
  }

  /** The log as it is now, when it is this one still. */
  current(ref: { project: string; name: string; incarnation: number }): Dataset | undefined {
    const dataset = this.copies.current(ref);
    return dataset?.spec.type === 'log' ? dataset : undefined;
  }

  /** The log of this name. */
  named(ref: { project: string; name: string }): Dataset | undefined {
    return this.all().find((d) => d.project === ref.project && d.name === ref.name && !d.removed);
  }

  /**
   * The log, when it is this one still, and the site may have it: the wall, asked anew with each message. What is refused is
   * written down.
   */
  allowed(site: Site, ref: DatasetRef, what: 'read' | 'write'): Dataset | undefined {
    const dataset = this.current(ref);
    if (dataset !== undefined && !this.isOver(site, ref)) return dataset;
    this.refused(site, ref, { what, why: this.copies.whyNot(ref, site) });
    return undefined;
  }

  /** Writes down that something was refused to a site. */
  refused(site: Site, ref: DatasetRef, refusal: { what: 'read' | 'write'; why: string }): void {
    this.copies.refused(site, ref, refusal);
  }

  /** Whether a site has the log. */
  mayHave(dataset: Dataset, site: Site): boolean {
    return this.copies.mayHave(dataset, site);
  }

  /** Whether a rule forbids that it is there, whatever is chosen. */
  isBarred(dataset: Dataset, site: Site): boolean {
    return this.copies.isBarred(dataset, site);
  }

  /** Whether a site of this name may not have it, or is none. */
  isStranger(dataset: Dataset, name: string): boolean {
    return this.copies.isStranger(dataset, name);
  }

  /** Whether entries may be sealed with this key from now on. */
  maySeal(dataset: Dataset, id: string): boolean {
    return this.copies.maySeal(dataset, id);
  }

  /** Whether a site that holds this may know of it what the hub has lost. */
  isUnknown(ref: DatasetRef & { generation: number }): boolean {
    return this.copies.isUnknown(ref);
  }

  /** A site says that it holds this, and who writes in it. */
  hears(site: Site, ref: DatasetRef & { generation: number }, store: string): void {
    this.copies.hears(site, ref, store);
  }

  /** What was heard is said again. */
  forgetHeard(): void {
    this.copies.forgetHeard();
  }

  /** Whether what is written there is taken: not from where the log may be of a later generation. */
  mayTake(dataset: Dataset, origin: string): boolean {
    return this.copies.mayTake(dataset, origin);
  }

  /** Whether a site has to forget it. Where logs are was not chosen yet: who has it keeps it. */
  isOver(site: Site, ref: { project: string; name: string; incarnation: number }): boolean {
    return this.copies.isOver(site, ref);
  }

  ofSite(site: Site): Dataset[] {
    return this.all().filter((dataset) => this.mayHave(dataset, site));
  }

  /** Sites that are sent what others write: none of one that is collected. */
  sitesOf(dataset: Dataset): Site[] {
    return logOf(dataset).flow === 'collect' ? [] : this.copies.sitesOf(dataset);
  }

  /** With `residency.origin`: the area that a site is in. */
  areaOf(dataset: Dataset, site: Site): string | undefined {
    return this.copies.areaOf(dataset, site);
  }

  /** What of its items a site that has the log may be given: all; with `residency.origin` what that leaves of them. */
  givenTo(dataset: Dataset, site: Site, items: readonly LogItem[]): LogItem[] {
    const rule = originOf(dataset.spec.residency);
    if (rule === undefined) return [...items];
    const area = this.areaOf(dataset, site);
    if (area === undefined) return [];
    return entriesGivenIn(rule, area, {
      items,
      areaOf: (origin) => this.copies.areaOfStore(dataset, origin),
    });
  }

  /** What a site needs to know of a log. */
  ruleFor(dataset: Dataset, site: Site): LogRule {
    const area = this.areaOf(dataset, site);
    return { ...logRuleOf(dataset), ...(area === undefined ? {} : { area }) };
  }
}

/** What is said of the log of a dataset, or else is so. */
export function logOf({ spec }: Dataset): LogSpec {
  return spec.log ?? logSpecSchema.parse({});
}

function logRuleOf(dataset: Dataset): LogRule {
  const { project, name, incarnation, generation, spec } = dataset;
  const { flow, edge } = logOf(dataset);
  return {
    project,
    name,
    incarnation,
    generation,
    flow,
    ...(edge === undefined ? {} : { edge }),
    ...(spec.ttlMs === undefined ? {} : { ttlMs: spec.ttlMs }),
    bytes: spec.limits.bytes,
    valueBytes: spec.limits.valueBytes,
    ...(spec.encryption && {
      encryption: spec.encryption,
      ...(spec.residency && { residency: spec.residency }),
    }),
  };
}
