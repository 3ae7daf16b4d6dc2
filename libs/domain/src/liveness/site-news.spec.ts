import type { Heartbeat, SiteState } from '@skerry/contracts';
import { factsOf, isNews } from './site-news.js';

const shape = { nodes: 1, cpuMillicores: 4_000, memoryMiB: 8_192, diskMiB: 1_000 };
const state: SiteState = {
  kind: 'SiteState',
  site: 'a',
  phase: 'ready',
  since: '2026-01-01T00:00:00.000Z',
  capacity: { shapes: [shape], drivers: ['process'] },
  nodes: 1,
  agentVersion: '1',
  hubRttMs: 20,
  revision: 1,
};
const heartbeat = (change: Partial<Heartbeat> = {}): Heartbeat => ({
  kind: 'Heartbeat',
  site: 'a',
  sentAt: '2026-01-01T00:00:01.000Z',
  agentVersion: '1',
  incarnation: 'x',
  nodes: 1,
  capacity: { shapes: [{ ...shape }], drivers: ['process'] },
  hubRttMs: 20,
  outboxMessages: 0,
  held: 0,
  running: 0,
  ...change,
});

describe('what is news in a heartbeat', () => {
  it.each<[string, Partial<Heartbeat>, boolean]>([
    ['nothing', {}, false],
    ['what is not kept', { outboxMessages: 9, running: 3, held: 2, incarnation: 'y' }, false],
    ['capacity', { capacity: { shapes: [{ ...shape, memoryMiB: 1 }], drivers: ['process'] } }, true],
    ['a GPU', { capacity: { shapes: [{ ...shape, gpus: 1 }], drivers: ['process'] } }, true],
    ['a driver', { capacity: { shapes: [shape], drivers: ['process', 'mock'] } }, true],
    ['nodes', { nodes: 2 }, true],
    ['that all its nodes are to be emptied', { standing: 'draining' }, true],
    ['the agent', { agentVersion: '2' }, true],
    ['a round trip by 4 ms', { hubRttMs: 24 }, false],
    ['a round trip by a half', { hubRttMs: 30 }, true],
  ])('%s: %#', (_what, change, news) => {
    expect(isNews(state, factsOf(heartbeat(change)))).toBe(news);
  });
});
