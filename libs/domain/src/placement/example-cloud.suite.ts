import { workloadSpecSchema, siteDescriptionSchema, type SiteState, type Workload } from '@skerry/contracts';
import { Ledger } from './ledger.js';
import { siteFacts } from './site-facts.js';
import type { PlaceRequest, SiteFacts, Snapshot } from './types.js';

/** Builders for the tests of placement: small clouds and workloads, with every default of the contracts. */

export const NOW = Date.parse('2026-01-01T00:00:00.000Z');
const AT = new Date(NOW).toISOString();

export interface SiteExample {
  name: string;
  lat?: number;
  lon?: number;
  jurisdictions?: string[];
  rttMs?: Record<string, number>;
  labels?: Record<string, string>;
  cpuCoreMonth?: number;
  phase?: SiteState['phase'];
  since?: string;
  nodes?: number;
  cpuMillicores?: number;
  memoryMiB?: number;
  cordoned?: boolean;
  membership?: SiteFacts['site']['membership'];
  provider?: string;
  draining?: boolean;
  standing?: SiteState['standing'];
  departure?: SiteFacts['site']['departure'];
  /** Any further field of the description, as an operator writes it. */
  more?: Record<string, unknown>;
}

/** A joined, ready site with one node of 4 cores and 8 GiB unless told otherwise. */
export function site(example: SiteExample): SiteFacts {
  const description = siteDescriptionSchema.parse({
    name: example.name,
    location: { lat: example.lat ?? 50, lon: example.lon ?? 8 },
    jurisdictions: example.jurisdictions ?? [],
    rttMs: example.rttMs ?? {},
    labels: example.labels ?? {},
    provider: example.provider ?? 'own',
    prices: { cpuCoreMonth: example.cpuCoreMonth ?? 0 },
    ...example.more,
  });
  return siteFacts(
    {
      ...description,
      generation: 1,
      account: `A${'A'.repeat(55)}`,
      membership: example.membership ?? 'joined',
      cordoned: example.cordoned ?? false,
      ...(example.draining === undefined ? {} : { draining: example.draining }),
      ...(example.departure === undefined ? {} : { departure: example.departure }),
      createdAt: AT,
      updatedAt: AT,
      commandSequence: 1,
    },
    {
      kind: 'SiteState',
      site: example.name,
      phase: example.phase ?? 'ready',
      since: example.since ?? AT,
      capacity: {
        shapes: [
          {
            nodes: example.nodes ?? 1,
            cpuMillicores: example.cpuMillicores ?? 4_000,
            memoryMiB: example.memoryMiB ?? 8_192,
            diskMiB: 100_000,
          },
        ],
        drivers: ['process', 'mock'],
      },
      nodes: example.nodes ?? 1,
      ...(example.standing === undefined ? {} : { standing: example.standing }),
      revision: 1,
    },
  );
}

/** `spec.placement` as people write it; parsed with the contracts. */
export type Rules = Record<string, unknown>;

export interface WorkloadExample {
  name?: string;
  rules?: Rules;
  users?: { lat: number; lon: number; weight: number }[];
  cpuMillicores?: number;
  memoryMiB?: number;
  /** Any further field of `spec`. */
  more?: Record<string, unknown>;
}

/** A workload of the mock driver; weights of users are made to add up to 1. */
export function workload(example: WorkloadExample = {}): Workload {
  const sum = (example.users ?? []).reduce((total, u) => total + u.weight, 0);
  return {
    kind: 'Workload',
    project: 'default',
    name: example.name ?? 'web',
    labels: {},
    generation: 1,
    spec: workloadSpecSchema.parse({
      run: { driver: 'mock' },
      resources: {
        cpuMillicores: example.cpuMillicores ?? 1_000,
        memoryMiB: example.memoryMiB ?? 64,
      },
      placement: example.rules ?? {},
      ...example.more,
    }),
    specDigest: `sha256:${'0'.repeat(64)}`,
    demand: (example.users ?? []).map((u, i) => ({ ...u, label: `users ${i}`, weight: u.weight / sum })),
    stopped: false,
    removed: false,
    createdAt: AT,
    updatedAt: AT,
    requestId: 'request-1',
    commandSequence: 1,
  };
}

/** The sites with a ledger of their capacity. */
export function cloud(sites: SiteFacts[]): Snapshot & { ledger: Ledger } {
  const ledger = new Ledger();
  for (const s of sites) if (s.state) ledger.setCapacity(s.name, s.state.capacity);
  return { sites, ledger };
}

export function request(asked: Workload, more: Partial<PlaceRequest> = {}): PlaceRequest {
  return { workload: asked, present: new Map(), refusals: new Map(), now: NOW, ...more };
}

/** Real places of the examples. */
export const PLACES = {
  frankfurt: { lat: 50.11, lon: 8.68 },
  hamburg: { lat: 53.55, lon: 9.99 },
  berlin: { lat: 52.52, lon: 13.4 },
  washington: { lat: 38.9, lon: -77.04 },
  tokyo: { lat: 35.68, lon: 139.69 },
  osaka: { lat: 34.69, lon: 135.5 },
};

/** Four sites as the local cloud has them, with measured round trips. */
export function fourSites(): SiteFacts[] {
  return [
    site({
      name: 'eu-de',
      ...PLACES.frankfurt,
      jurisdictions: ['eu'],
      rttMs: { 'us-east': 92, 'jp-tok': 230, edge: 12 },
      cpuCoreMonth: 20,
    }),
    site({
      name: 'us-east',
      ...PLACES.washington,
      jurisdictions: ['us'],
      rttMs: { 'jp-tok': 160 },
      cpuCoreMonth: 15,
    }),
    site({ name: 'jp-tok', ...PLACES.tokyo, jurisdictions: ['jp'], cpuCoreMonth: 22 }),
    site({ name: 'edge', ...PLACES.hamburg, jurisdictions: ['eu'], cpuCoreMonth: 30, cpuMillicores: 1_000 }),
  ];
}
