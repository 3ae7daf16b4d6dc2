import { Inject, Injectable } from '@nestjs/common';
import { JsonLog } from '@skerry/service';
import { NodesStore } from '../stores/nodes.store.js';
import { ReportsStore } from '../stores/reports.store.js';
import { SitesStore } from '../stores/sites.store.js';

const LOOK_EVERY_MS = 1_000;

/** Clears away what a removed site left at the hub: its nodes and reports; its state says `left` for ever. */
@Injectable()
export class ClearLeft {
  private timer: NodeJS.Timeout | undefined;
  private clearing: Promise<void> = Promise.resolve();

  constructor(
    private readonly sites: SitesStore,
    private readonly nodes: NodesStore,
    private readonly reports: ReportsStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      this.clearing = this.clearing.then(() => this.handle());
    }, LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.clearing;
  }

  private async handle(): Promise<void> {
    for (const name of this.sites.removed()) {
      const state = this.sites.state(name);
      if (state === undefined || state.phase === 'left') continue;
      try {
        await this.nodes.dropSite(name);
        await this.reports.dropSite(name);
        // Last, since it says that the rest is done.
        const since = new Date().toISOString();
        await this.sites.putState({ ...state, phase: 'left', since, revision: state.revision + 1 });
      } catch (error) {
        this.log.warn(`what is left of site ${name} not cleared away`, error);
      }
    }
  }
}
