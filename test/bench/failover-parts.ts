import { killHubServers, killServices } from './failover-hub.js';
import { catchUp } from './failover-catch-up.js';
import { loseSites } from './failover-loss.js';
import { loseNodes } from './failover-nodes.js';
import { rebootOffline } from './failover-reboot.js';
import { manySites } from './failover-scale.js';
import type { PartContext as Context, Parts } from './run-parts.js';

/** How much is measured. */
export interface Sizes {
  /** Losses of a site that runs real processes. */
  realRuns: number;
  /** Losses of a site whose replicas are mocks. */
  mockRuns: number;
  sites: number;
  /** Sites that are lost at the same moment: less than the share at which inventory suspects itself. */
  atOnce: number;
  /** Kills of a server of the hub of each kind. */
  hubRuns: number;
  /** Returns after a minute's cut. */
  catchUpRuns: number;
  simulatedSites: number;
}

export type PartContext = Context<Sizes>;

/** The parts of the benchmark, each with a cloud of its own. */
export const PARTS: Parts<Sizes> = {
  sites: loseSites,
  nodes: loseNodes,
  reboot: rebootOffline,
  'catch-up': catchUp,
  services: killServices,
  hub: killHubServers,
  scale: manySites,
};
