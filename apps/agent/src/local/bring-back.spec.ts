import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { heldProposalSchema, SITE, type Assignment, type HeldProposal } from '@skerry/contracts';
import { assignment, QUIET } from '../site-under-test.suite.js';
import { BringBack } from './bring-back.js';
import type { Entry } from './journal.js';

const declared = { rest: '{}', warrant: 'w'.repeat(43) };

describe('what the hub does not know any more', () => {
  let bus: MemoryBus;
  let asked: HeldProposal[];
  let answers: object[];
  let written: Entry[];
  let held: Map<string, Assignment>;
  let acting: boolean;
  let brought: BringBack;

  beforeEach(() => {
    bus = new MemoryBus(new MemoryServer());
    [asked, answers, written] = [[], [], []];
    acting = true;
    held = new Map(['web', 'late'].map((name) => [`shop.${name}`, { ...assignment(name, {}), declared }]));
    bus.respond(SITE.proposal, (message) => {
      asked.push(heldProposalSchema.parse(message.json()));
      return answers.shift() ?? decided(true);
    });
    brought = new BringBack({
      site: 's1',
      bus,
      journal: { state: (entry) => void written.push(entry) },
      acting: () => acting,
      held: (key) => held.get(key),
      log: { ...QUIET, warn: () => undefined },
    });
  });
  afterEach(() => brought.close());

  const decided = (ok: boolean) => ({
    state: 'decided',
    outcome: {
      kind: 'Outcome',
      ok,
      requestId: 'held-0001',
      verb: 'workload.recover',
      decidedAt: '2026-01-01T00:00:00.000Z',
      ...(ok ? { changes: [] } : { code: 'invalid', title: 'too many', issues: [] }),
    },
  });
  const names = () => asked.map((one) => one.held.name);
  const outcomes = () =>
    written.flatMap(({ outcome, text }) => (outcome === undefined ? [] : [[outcome, text]]));
  /** Until the journal says so often that something was decided. */
  async function untilDecided(count: number): Promise<void> {
    const until = performance.now() + 8_000;
    while (outcomes().length < count && performance.now() < until)
      await new Promise((go) => setTimeout(go, 10));
    expect(outcomes()).toHaveLength(count);
  }

  it('is proposed as the hub gave it, and written down with what became of it', async () => {
    answers.push(decided(true), decided(false));
    brought.propose(['shop.web', 'shop.late']);
    await untilDecided(2);
    expect(asked.map((one) => one.held)).toEqual([...held.values()]);
    expect(outcomes()).toEqual([
      ['accepted', undefined],
      ['rejected', 'too many'],
    ]);
    expect(written[0]).toMatchObject({ what: 'operation', by: 'the site' });
    expect(written[0]?.text).toContain('shop/web (1.1.1) is held here');
  });

  it('is not asked again as soon as it was decided: it takes a while until it is placed', async () => {
    brought.propose(['shop.web']);
    await untilDecided(1);
    brought.propose(['shop.web', 'shop.late']);
    await untilDecided(2);
    expect(names()).toEqual(['web', 'late']);
  });

  it('is asked for again until it is decided, and told of once', async () => {
    answers.push({ state: 'waiting', retryAfterMs: 1 });
    brought.propose(['shop.web']);
    await untilDecided(1);
    expect(names()).toEqual(['web', 'web']);
    expect(written.filter(({ what }) => what === 'operation')).toHaveLength(1);
  });

  it('stays unsaid when an older hub gave it, when nothing of it is wanted here any more, and while another speaks', async () => {
    held.set('shop.old', assignment('old', {}));
    brought.propose(['shop.old', 'shop.gone', 'shop.web']);
    await untilDecided(1);
    expect(names()).toEqual(['web']);
    acting = false;
    brought.propose(['shop.late']);
    expect(names()).toEqual(['web']);
  });
});
