import { beforeEach, describe, expect, it } from '@jest/globals';
import { examplePlacement, exampleSite, type Heartbeat, type Site, type SiteState } from '@skerry/contracts';
import { FleetStore } from './fleet.store.js';

const ACCOUNT = `A${'B'.repeat(55)}`;
const NOW = '2026-01-01T00:00:00.000Z';
const put = (key: string, value: unknown) => ({
  kind: 'put' as const,
  key,
  value,
  revision: 1,
  headers: {},
  at: 0,
});

const site = (name: string, more: Partial<Site> = {}): Site =>
  exampleSite(name, { account: ACCOUNT, createdAt: NOW, updatedAt: NOW, ...more });

const state = (name: string, phase: SiteState['phase']): SiteState => ({
  kind: 'SiteState',
  site: name,
  phase,
  since: NOW,
  capacity: { shapes: [], drivers: [] },
  nodes: 1,
  revision: 1,
});

const heartbeat = (running: number): Heartbeat => ({
  kind: 'Heartbeat',
  site: 'a-lie',
  sentAt: NOW,
  agentVersion: '0',
  incarnation: 'x',
  nodes: 1,
  capacity: { shapes: [], drivers: [] },
  outboxMessages: 0,
  held: 1,
  running,
});

let fleet: FleetStore;
beforeEach(() => {
  fleet = new FleetStore();
  fleet.takeSite(put('eu', site('eu')));
});

describe('the fleet', () => {
  it('counts the replicas placed at a site over moves and removals', () => {
    fleet.takePlacement(put('shop.web', examplePlacement({ eu: 2, us: 1 })));
    fleet.takePlacement(put('shop.api', examplePlacement({ eu: 3 })));
    expect(fleet.view('eu')?.replicas).toBe(5);
    fleet.takePlacement(put('shop.web', examplePlacement({ us: 3 })));
    expect(fleet.view('eu')?.replicas).toBe(3);
    fleet.takePlacement({ kind: 'gone', key: 'shop.api', revision: 9 });
    expect(fleet.view('eu')?.replicas).toBe(0);
  });

  it('adds up by project what is placed costs, and forgets what is placed no more', () => {
    const costing = (costPerMonth: number) => ({ ...examplePlacement({ eu: 1 }), costPerMonth });
    fleet.takePlacement(put('shop.web', costing(3)));
    fleet.takePlacement(put('shop.api', costing(4)));
    fleet.takePlacement(put('bank.api', costing(5)));
    fleet.takePlacement(put('shop.web', costing(2)));
    expect(Object.fromEntries(fleet.costs())).toEqual({ bank: 5, shop: 6 });
    fleet.takePlacement(put('bank.api', { ...costing(0), shares: [] }));
    expect([...fleet.costs().keys()]).toEqual(['shop']);
  });

  it('is not misled by the epoch that lies in the same bucket', () => {
    fleet.takePlacement(put('epoch', { holder: 'x' }));
    fleet.takePlacement({ kind: 'malformed', key: 'epoch', revision: 2, reason: 'no placement' });
    expect(fleet.view('eu')?.replicas).toBe(0);
  });

  it('knows a site by the account that speaks, not by what it says', () => {
    fleet.takeState(put('eu', state('eu', 'ready')));
    fleet.takeHeartbeat(ACCOUNT, () => heartbeat(7), 1_000);
    fleet.takeHeartbeat(`A${'C'.repeat(55)}`, () => heartbeat(9), 1_000);
    expect(fleet.view('eu')?.running).toBe(7);
    expect(fleet.view('a-lie')).toBeUndefined();
  });

  it('counts nothing as running at a lost site, and ignores heartbeats that are none', () => {
    fleet.takeHeartbeat(ACCOUNT, () => heartbeat(7), 1_000);
    fleet.takeHeartbeat(ACCOUNT, () => ({ running: 'many' }), 9_000);
    fleet.takeState(put('eu', state('eu', 'lost')));
    expect(fleet.view('eu')?.running).toBe(0);
  });

  it('lists sites by name, without the removed', () => {
    fleet.takeSite(put('ap', site('ap')));
    fleet.takeSite(put('us', site('us', { membership: 'removed' })));
    expect(fleet.views().map((view) => view.site.name)).toEqual(['ap', 'eu']);
  });
});
