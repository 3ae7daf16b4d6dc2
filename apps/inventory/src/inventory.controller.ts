import { Controller } from '@nestjs/common';
import type { Body, BucketChange, Message, Outcome, StoredMessage } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  HUB,
  placementsValueSchema,
  siteSchema,
  siteStateSchema,
  STREAMS,
  type IntakeAnswer,
  type PingAnswer,
  type PlacementsValue,
  type Site,
  type SiteState,
} from '@skerry/contracts';
import { OnChange, OnPlain, OnRequest, OnStored, type PlainMessage } from '@skerry/service';
import { AnnounceSites } from './handlers/announce-sites.handler.js';
import { FileNode } from './handlers/file-node.handler.js';
import { HearSite } from './handlers/hear-site.handler.js';
import { TakeReport } from './handlers/take-report.handler.js';
import { SitesStore } from './stores/sites.store.js';

/** Every subject that inventory hears. */
@Controller()
export class InventoryController {
  constructor(
    private readonly sites: SitesStore,
    private readonly takeReport: TakeReport,
    private readonly hear: HearSite,
    private readonly fileNode: FileNode,
    private readonly announceSites: AnnounceSites,
  ) {}

  @OnChange(BUCKETS.siteSpecs, siteSchema)
  site(change: BucketChange<Site>): void {
    this.sites.applySpec(change);
  }

  @OnChange(BUCKETS.siteStates, siteStateSchema)
  state(change: BucketChange<SiteState>): void {
    this.sites.applyState(change);
  }

  @OnChange(BUCKETS.placements, placementsValueSchema)
  placement(change: BucketChange<PlacementsValue>): void {
    this.sites.applyPlacement(change);
    if (change.kind === 'put' && change.value.kind === 'Epoch') this.hear.term(change.value.term ?? 1);
  }

  @OnRequest(HUB.intake, { queue: 'intake' })
  report(message: Message): Promise<IntakeAnswer> {
    return this.takeReport.handle(message);
  }

  @OnPlain(HUB.heartbeat)
  heartbeat(message: PlainMessage): void {
    this.hear.heartbeat(message);
  }

  // Not by one of them: only the active one gives leases.
  @OnRequest(HUB.ping, { queue: 'none' })
  ping(message: Message): Promise<PingAnswer> {
    return this.hear.ping(message);
  }

  @OnRequest(HUB.retired)
  retired(message: Message): Promise<Body> {
    return this.hear.lastWord(message);
  }

  @OnRequest(HUB.proposal)
  proposal(message: Message): Promise<Body> {
    return this.hear.proposal(message);
  }

  // Answered by the replicator; heard here too, since here is counted what a site sends.
  @OnPlain(HUB.digest, { queue: 'app' })
  digest(message: PlainMessage): void {
    this.hear.count(message);
  }

  @OnStored(STREAMS.OBSERVED.name, {
    durable: 'inventory-nodes',
    filters: ['observed.*.node.>'],
    from: 'last',
  })
  node(message: StoredMessage): Promise<Outcome> {
    return this.fileNode.handle(message);
  }

  @OnStored(bucketStream(BUCKETS.siteStates.name), { durable: 'inventory-events', from: 'last' })
  changed(message: StoredMessage): Promise<Outcome> {
    return this.announceSites.handle(message);
  }
}
