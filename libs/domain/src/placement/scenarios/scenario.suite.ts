import {
  parse,
  siteDescriptionSchema,
  workloadDocumentSchema,
  workloadKey,
  type Issue,
  type Placement,
  type SiteState,
  type Workload,
} from '@skerry/contracts';
import { z } from 'zod';
import { contradictions } from '../../admission/contradictions.js';
import { demandOf } from '../../admission/index.js';
import { explain } from '../explain.js';
import { Ledger } from '../ledger.js';
import { nextPlacement, placeRequest, type NextPlacementInput } from '../next-placement.js';
import { siteFacts } from '../site-facts.js';
import type { SiteFacts, Snapshot } from '../types.js';
import { linesOf, whyLines } from './transcript.suite.js';

const AT = '2026-01-01T00:00:00.000Z';
const NOW = Date.parse(AT);
const DIGEST = `sha256:${'0'.repeat(64)}`;
/** Rounds of decisions after a step; each workload is decided once in a round. */
const ROUNDS_MAX = 8;

/** A scenario as it is written: sites, then one step after the other. */
export const scenarioSchema = z.strictObject({
  title: z.string(),
  sites: z.array(z.record(z.string(), z.unknown())).default([]),
  steps: z.array(
    z.union([
      z.strictObject({ apply: z.record(z.string(), z.unknown()) }),
      z.strictObject({ join: z.record(z.string(), z.unknown()) }),
      z.strictObject({ why: z.string() }),
      z.strictObject({ drain: z.string() }),
      z.strictObject({ cordon: z.string() }),
      z.strictObject({ uncordon: z.string() }),
      z.strictObject({ lose: z.string() }),
      z.strictObject({ return: z.string() }),
      z.strictObject({ remove: z.string() }),
    ]),
  ),
});
export type Scenario = z.infer<typeof scenarioSchema>;
type Step = Scenario['steps'][number];

/** What a site has, beside what an operator says of it. */
const roomSchema = z.object({
  nodes: z.number().int().min(0).default(1),
  cores: z.number().default(4),
  memoryGiB: z.number().default(8),
});

/** Plays a scenario and says what an operator would see. */
export function play(scenario: Scenario): string {
  const play = new Play();
  const lines = [`# ${scenario.title}`];
  for (const description of scenario.sites) lines.push(...play.join(description));
  for (const step of scenario.steps) lines.push('', ...play.step(step));
  return `${lines.join('\n')}\n`;
}

class Play {
  readonly #sites = new Map<string, SiteFacts>();
  readonly #ledger = new Ledger();
  readonly #workloads = new Map<string, Workload>();
  readonly #placements = new Map<string, Placement>();

  step(step: Step): string[] {
    if ('apply' in step) return this.#apply(step.apply);
    if ('join' in step) return [...this.join(step.join), ...this.#decide()];
    if ('why' in step) return [`$ why ${step.why}`, ...this.#why(step.why)];
    const [[verb, name] = ['', '']] = Object.entries(step);
    this.#do(verb, name);
    return [`$ ${verb} ${name}`, ...this.#decide()];
  }

  join(given: Record<string, unknown>): string[] {
    const { nodes, cores, memoryGiB, ...description } = given;
    const room = roomSchema.parse({ nodes, cores, memoryGiB });
    const parsed = parse(siteDescriptionSchema, { location: { lat: 50, lon: 8 }, ...description });
    if (!parsed.ok) return refusal(`site ${String(given['name'])}`, parsed.issues);
    const { name } = parsed.value;
    const site = {
      ...parsed.value,
      generation: 1,
      account: `A${'A'.repeat(55)}`,
      membership: 'joined' as const,
      cordoned: false,
      createdAt: AT,
      updatedAt: AT,
      commandSequence: 1,
    };
    const shape = {
      nodes: Math.max(1, room.nodes),
      cpuMillicores: room.cores * 1_000,
      memoryMiB: room.memoryGiB * 1_024,
      diskMiB: 0,
    };
    const shapes = room.nodes === 0 ? [] : [shape];
    const state: SiteState = {
      kind: 'SiteState',
      site: name,
      phase: 'ready',
      since: AT,
      capacity: { shapes, drivers: ['mock'] },
      nodes: room.nodes,
      revision: 1,
    };
    this.#sites.set(name, siteFacts(site, state));
    this.#ledger.setCapacity(name, state.capacity);
    return [
      `site ${name}: ${room.nodes} nodes of ${room.cores} cores, ${site.jurisdictions.join('+') || 'no jurisdiction'}, ${site.prices.cpuCoreMonth} a core and month`,
    ];
  }

  #apply({ name, type, resources, daemon, ...placement }: Record<string, unknown>): string[] {
    const parsed = parse(workloadDocumentSchema, {
      apiVersion: 'skerry/v1',
      kind: 'Workload',
      metadata: { name },
      spec: {
        ...(type === undefined ? {} : { type }),
        ...(daemon === undefined ? {} : { daemon }),
        run: { driver: 'mock' },
        resources: resources ?? { cpuMillicores: 1_000 },
        placement,
      },
    });
    const head = `$ apply ${String(name)}`;
    if (!parsed.ok) return [head, ...refusal('', parsed.issues)];
    const { spec, metadata } = parsed.value;
    const issues = contradictions({ ...metadata, spec }, this.#around());
    if (issues.length > 0) return [head, ...refusal('', issues)];
    const key = workloadKey(metadata.project, metadata.name);
    this.#workloads.set(key, {
      kind: 'Workload',
      ...metadata,
      generation: (this.#workloads.get(key)?.generation ?? 0) + 1,
      spec,
      specDigest: DIGEST,
      demand: demandOf(spec.placement.users, () => ({ ok: false, field: 'city', problem: 'unknown' })).points,
      stopped: false,
      removed: false,
      createdAt: AT,
      updatedAt: AT,
      requestId: 'request-1',
      commandSequence: 1,
    });
    return [head, ...this.#decide()];
  }

  #around() {
    const sites = () => [...this.#sites.values()].map((facts) => facts.site);
    return {
      at: NOW,
      sites,
      workload: (project: string, name: string) => this.#workloads.get(workloadKey(project, name)),
    };
  }

  #do(verb: string, name: string): void {
    const facts = this.#sites.get(name);
    const workload = this.#workloads.get(workloadKey('default', name));
    if (verb === 'remove' && workload) {
      const removed = { ...workload, removed: true, generation: workload.generation + 1 };
      this.#workloads.set(workloadKey('default', name), removed);
    }
    if (!facts?.state) return;
    const { site, state } = facts;
    const phase = verb === 'lose' ? 'lost' : verb === 'return' ? 'ready' : state.phase;
    const changed = {
      ...site,
      ...(verb === 'cordon' || verb === 'uncordon' ? { cordoned: verb === 'cordon' } : {}),
      ...(verb === 'drain' || verb === 'uncordon' ? { draining: verb === 'drain' } : {}),
    };
    this.#sites.set(name, siteFacts(changed, { ...state, phase }));
  }

  /** Decides, by priority, until nothing changes; says what did. */
  #decide(): string[] {
    const lines = new Map<string, string[]>();
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      let changed = false;
      for (const [key, workload] of this.#byPriority()) {
        const next = nextPlacement(this.#input(key, workload));
        if (!next) continue;
        changed = true;
        this.#commit(key, workload, next);
        lines.set(key, linesOf(next));
      }
      if (!changed) break;
    }
    return lines.size === 0 ? ['  nothing changes'] : [...lines.values()].flat();
  }

  #byPriority(): [string, Workload][] {
    const priority = (workload: Workload) => workload.spec.placement.priority;
    return [...this.#workloads].toSorted(([a, x], [b, y]) => priority(y) - priority(x) || (a < b ? -1 : 1));
  }

  #commit(key: string, workload: Workload, next: Placement): void {
    const { resources, placement } = workload.spec;
    for (const { project, name, site, replicas } of next.preempted ?? []) {
      const victim = workloadKey(project, name);
      const held = this.#workloads.get(victim);
      if (!held) continue;
      const left = this.#ledger
        .heldBy(victim)
        .map((h) => ({ ...h, replicas: h.replicas - (h.site === site ? replicas : 0) }));
      this.#ledger.hold(victim, held.spec.resources, left, held.spec.placement.priority);
    }
    this.#ledger.hold(key, resources, next.shares, placement.priority);
    this.#placements.set(key, next);
  }

  #input(key: string, workload: Workload): NextPlacementInput {
    return {
      workload,
      previous: this.#placements.get(key),
      refusals: new Map(),
      snapshot: this.#snapshot(),
      now: NOW + 60_000,
      term: 1,
      epoch: 1,
      inputs: () => ({ workload: DIGEST, sites: DIGEST }),
    };
  }

  #snapshot(): Snapshot {
    return { sites: [...this.#sites.values()], ledger: this.#ledger };
  }

  #why(name: string): string[] {
    const key = workloadKey('default', name);
    const workload = this.#workloads.get(key);
    if (!workload) return ['  there is no such workload'];
    return whyLines(
      explain(placeRequest(this.#input(key, workload)), this.#snapshot(), this.#placements.get(key)?.shares),
    );
  }
}

function refusal(what: string, issues: readonly Issue[]): string[] {
  const said = issues.map(
    (i) => `    ${i.path}: ${i.problem}${i.allowed === undefined ? '' : ` (allowed: ${i.allowed})`}`,
  );
  return [`  refused${what === '' ? '' : `: ${what}`}`, ...said];
}
