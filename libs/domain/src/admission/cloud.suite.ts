import {
  workloadDocumentSchema,
  type Actor,
  type CommandBody,
  type Quota,
  type Site,
  type Workload,
} from '@skerry/contracts';
import { admit, claimOf, type Admission, type AdmissionTools } from './index.js';

const NOW = '2026-01-01T00:00:00.000Z';
const ACCOUNT = `A${'B'.repeat(55)}`;
const tools: AdmissionTools = {
  digest: (spec) => `sha256:${JSON.stringify(spec)}`,
  locate: ({ city, country }) =>
    city === 'Nowhere'
      ? { ok: false, field: 'city', problem: 'unknown city', allowed: 'Somewhere' }
      : { ok: true, points: [{ label: city ?? country ?? '', lat: 1, lon: 2, weight: 1 }] },
};

/** A cloud in memory: what admission decides is applied to it. */
export class Cloud {
  readonly workloads = new Map<string, Workload>();
  readonly sites = new Map<string, Site>();
  readonly quotas = new Map<string, Quota>();
  sequence = 0;

  ask(
    body: CommandBody,
    more: { role?: Actor['role']; requestId?: string; sequence?: number } = {},
  ): Admission {
    this.sequence += 1;
    const { role = 'admin', requestId = `request-${this.sequence}`, sequence = this.sequence } = more;
    const actor = { subject: 'someone', role };
    const command = { kind: 'Command' as const, requestId, actor, sentAt: NOW, body };
    const state = {
      workload: (project: string, name: string) => this.workloads.get(`${project}.${name}`),
      site: (name: string) => this.sites.get(name),
      quota: (project: string) => this.quotas.get(project),
      sites: () => this.sites.values(),
      dataset: () => undefined,
      claimsOf: (project: string) =>
        [...this.workloads.values()].filter((w) => w.project === project).flatMap((w) => claimOf(w) ?? []),
    };
    const admission = admit({ command, sequence, now: NOW, account: ACCOUNT }, state, tools);
    if (admission.ok) {
      for (const w of admission.writes.workloads) this.workloads.set(`${w.project}.${w.name}`, w);
      for (const s of admission.writes.sites) this.sites.set(s.name, s);
      for (const q of admission.writes.quotas) this.quotas.set(q.project, q);
    }
    return admission;
  }

  apply(name: string, spec: Record<string, unknown> = {}, more: Parameters<Cloud['ask']>[1] = {}): Admission {
    return this.ask({ verb: 'workload.apply', documents: [document(name, spec)] }, more);
  }
}

/** A workload as a person would write it. */
export function document(name: string, spec: Record<string, unknown> = {}, project = 'shop') {
  return workloadDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Workload',
    metadata: { name, project },
    spec: { run: { command: ['x'] }, ...spec },
  });
}
