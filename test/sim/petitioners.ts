import {
  datasetDocumentSchema,
  workloadSpecSchema,
  type CommandBody,
  type CommandOutcome,
  type WorkloadDocument,
} from '@skerry/contracts';
import type { Random } from '@skerry/sim';
import type { Cloud } from './cloud.js';
import type { Request } from './commands.js';
import type { Broken } from './invariants.js';
import { applying, documentOf, inWords, type People } from './people.js';

const PROJECT = 'lab';
const NAMES = ['l0', 'l1', 'l2', 'l3'];
const ADMIN = { subject: 'ada', role: 'admin' } as const;
const VIEWER = { subject: 'vera', role: 'viewer' } as const;
const MOST_PAUSE_MS = 5_000;
/** Requests that may be made once more. */
const REMEMBERED = 8;

/** People who ask for several things at once, ask twice, and ask for what they may not have. What they draw is their own. */
export class Petitioners {
  private ended = false;
  private asked = 0;
  private readonly made: Request[] = [];

  constructor(
    private readonly at: { cloud: Cloud; people: People; random: Random },
    private readonly broken: (broken: Broken) => void,
  ) {}

  begin(): void {
    void this.ask(this.quota());
    this.next();
  }

  end(): void {
    this.ended = true;
  }

  private next(): void {
    const { cloud, random } = this.at;
    cloud.timeline.after(random.between(0, 2 * MOST_PAUSE_MS), cloud.peopleProcess, () => {
      if (this.ended) return;
      void this.act();
      this.next();
    });
  }

  private async act(): Promise<void> {
    switch (this.at.random.weighted({ folder: 4, one: 3, quota: 1, refused: 3, again: 3, twice: 2 })) {
      case 'folder':
        return this.ask(this.request(applying(this.folder())));
      case 'one':
        return this.ask(this.request(this.one()));
      case 'quota':
        return this.ask(this.quota());
      case 'refused':
        return this.ask(this.forbidden(), 'refused');
      case 'again':
        if (this.made.length > 0) await this.ask(this.at.random.pick(this.made), 'again');
        return;
      case 'twice': {
        const request = this.request(applying(this.folder()));
        await Promise.all([this.ask(request), this.ask(request, 'again')]);
      }
    }
  }

  private async ask(request: Request, how?: 'again' | 'refused'): Promise<void> {
    const { cloud, people } = this.at;
    if (how === undefined) this.made.push(request);
    if (this.made.length > REMEMBERED) this.made.shift();
    const outcome = await people.commands.ask(request, how === 'again');
    cloud.say('people', `${request.requestId}: ${said(outcome)}; asked was ${inWords(request.body)}`);
    if (how !== 'refused' || !outcome.ok) return;
    this.broken({
      invariant: 'refused',
      detail: `${request.requestId} was admitted: ${inWords(request.body)}`,
    });
  }

  /** Several documents, none of which is as it was. */
  private folder(): WorkloadDocument[] {
    const { random } = this.at;
    const without = random.pick(NAMES);
    return NAMES.filter((name) => name !== without).map((name) => this.document(name));
  }

  private document(name: string): WorkloadDocument {
    const { random } = this.at;
    return documentOf(
      PROJECT,
      name,
      specOf(String(random.whole(1, 1_000_000)), random.pick([0, 0, 0, 0, 1, 2])),
    );
  }

  private one(): CommandBody {
    const { random } = this.at;
    const of = { project: PROJECT, name: random.pick(NAMES) };
    switch (random.weighted({ scale: 3, apply: 3, stop: 1, start: 2, remove: 2 })) {
      case 'scale':
        return { verb: 'workload.scale', ...of, replicas: random.whole(0, 2) };
      case 'apply':
        return applying([this.document(of.name)]);
      case 'stop':
        return { verb: 'workload.stop', ...of };
      case 'start':
        return { verb: 'workload.start', ...of };
      case 'remove':
        return { verb: 'workload.remove', ...of };
    }
  }

  private quota(): Request {
    const { random } = this.at;
    const limits = { workloads: random.whole(2, 4), replicas: random.whole(1, 5) };
    return { ...this.request({ verb: 'quota.set', project: PROJECT, limits }), actor: ADMIN };
  }

  /** What nobody may have, whatever else there is. */
  private forbidden(): Request {
    const [first, ...others] = this.folder();
    if (first === undefined) throw new Error('an empty folder');
    const { metadata, spec } = first;
    switch (this.at.random.weighted({ stale: 1, unknown: 1, residency: 1, role: 1, folder: 2 })) {
      case 'stale':
        return this.request({ verb: 'workload.apply', documents: [first], ifGeneration: 99_999 });
      case 'unknown':
        return this.request({ verb: 'workload.scale', project: 'nowhere', name: metadata.name, replicas: 1 });
      case 'residency':
        // Nobody has said where the hub is, which keeps its records.
        return this.request({ verb: 'workload.apply', documents: [first, ...others], datasets: [walled()] });
      case 'role':
        return { ...this.request(applying([first])), actor: VIEWER };
      case 'folder': {
        const daemon = { ...spec, type: 'daemon' as const, placement: { ...spec.placement, replicas: 2 } };
        return this.request(applying([...others, { ...first, spec: daemon }]));
      }
    }
  }

  private request(body: CommandBody): Request {
    this.asked += 1;
    return { requestId: `petition-${this.asked}`, body };
  }
}

function specOf(mark: string, replicas: number) {
  return workloadSpecSchema.parse({
    type: 'service',
    run: { driver: 'process', command: ['serve'], env: { MARK: mark } },
    resources: { cpuMillicores: 10, memoryMiB: 16 },
    placement: { replicas },
  });
}

function walled() {
  return datasetDocumentSchema.parse({
    apiVersion: 'skerry/v1',
    kind: 'Dataset',
    metadata: { name: 'walled', project: PROJECT },
    spec: { type: 'keyvalue', residency: { stay: ['eu'] } },
  });
}

function said(outcome: CommandOutcome): string {
  if (!outcome.ok) return `refused: ${outcome.title}`;
  return outcome.changes
    .map(({ name, change, generation }) => `${name} ${change} (${generation})`)
    .join(', ');
}
