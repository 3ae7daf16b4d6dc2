import type { Bus, Message, Subscription } from '@skerry/bus';
import {
  BUCKETS,
  HUB,
  type LogLine,
  type LogPage,
  logRequestSchema,
  moveRequestSchema,
  type Placement,
  type Plan,
  planRequestSchema,
  Refusal,
  RPC,
  type Scenario,
  type Status,
  statusListRequestSchema,
  STREAMS,
  type Why,
  whatIfBodySchema,
  whyRequestSchema,
  workloadKey,
  type WorkloadRef,
  workloadRefSchema,
} from '@skerry/contracts';

/** Streams and buckets that others would make. */
const STREAMS_OF_OTHERS = [STREAMS.OBSERVED, STREAMS.DL];
const BUCKETS_OF_OTHERS = [
  BUCKETS.placements,
  BUCKETS.copies,
  BUCKETS.copyAudit,
  BUCKETS.homes,
  BUCKETS.siteStates,
  BUCKETS.nodes,
  BUCKETS.status,
];

/** The scheduler and the read model as far as the api sees them: they say what the test puts in. */
export class StandIns {
  readonly statuses = new Map<string, Status>();
  /** Of which workloads lists of statuses have told, since the test forgot it last. */
  readonly listed = new Set<string>();
  /** Replicas go to another site than before, and plans have another id: as when something changed in between. */
  changed = false;
  private readonly answering: Subscription[] = [];
  private readonly sites: Subscription[] = [];

  private constructor(private readonly bus: Bus) {}

  static async start(bus: Bus): Promise<StandIns> {
    for (const stream of STREAMS_OF_OTHERS) await bus.ensureStream(stream);
    for (const bucket of BUCKETS_OF_OTHERS) await bus.ensureBucket(bucket);
    const standIns = new StandIns(bus);
    standIns.answering.push(
      bus.respond(RPC.status, (m) => standIns.status(m)),
      bus.respond(RPC.statusList, (m) => standIns.page(m)),
      bus.respond(RPC.plan, (m) => standIns.plan(m)),
      bus.respond(RPC.whatIf, (m) => standIns.whatIf(m)),
      bus.respond(RPC.move, (m) => standIns.move(m)),
      bus.respond(RPC.why, (m) => standIns.why(m)),
    );
    return standIns;
  }

  /** Makes the read model say this of a workload. */
  put(status: Status): void {
    this.statuses.set(workloadKey(status.project, status.name), status);
  }

  /** Answers as a site's agent does when asked for logs. */
  site(account: string, lines: LogLine[]): void {
    const hearing = this.bus.listen(HUB.request(account, 'logs'), (m) => {
      const { id, follow } = logRequestSchema.parse(m.json());
      const page: LogPage = { lines, done: !follow };
      this.bus.say(HUB.answer(account, id), page);
    });
    this.sites.push(hearing);
  }

  /** No site answers any more. */
  async silence(): Promise<void> {
    await Promise.all(this.sites.splice(0).map((one) => one.drain()));
  }

  async stop(): Promise<void> {
    await this.silence();
    await Promise.all(this.answering.map((one) => one.drain()));
  }

  private status(message: Message): Status {
    const { project, name } = workloadRefSchema.parse(message.json());
    const found = this.statuses.get(workloadKey(project, name));
    if (found) return found;
    throw new Refusal('not-found', `no workload ${project}/${name}`);
  }

  private page(message: Message) {
    const { project, after = '' } = statusListRequestSchema.parse(message.json());
    const keys = [...this.statuses.keys()].toSorted().filter((key) => key > after);
    const own = keys.filter((key) => project === undefined || key.startsWith(`${project}.`));
    const items = own.slice(0, PAGE).flatMap((key) => this.statuses.get(key) ?? []);
    for (const { project: of, name } of items) this.listed.add(workloadKey(of, name));
    return { items, ...(own.length > PAGE ? { next: own[PAGE - 1] } : {}) };
  }

  private plan(message: Message): Plan {
    const { items, datasets } = planRequestSchema.parse(message.json());
    const plan = this.planned(items, { kind: 'apply' });
    const [site, other] = this.changed ? ['us-east', 'eu-de'] : ['eu-de', 'us-east'];
    const why = 'copies: it is not named';
    const planned = datasets?.map(({ change, dataset: { project, name } }) => ({
      project,
      name,
      change,
      rule: 'no residency rule; copies everywhere',
      copies: [{ site, now: change !== 'create' }],
      without: [{ site: other, now: false, why }],
    }));
    return planned === undefined ? plan : { ...plan, datasets: planned };
  }

  private whatIf(message: Message): Plan {
    const { scenario } = whatIfBodySchema.parse(message.json());
    const workload = { project: 'shop', name: 'web', generation: 1 };
    const items = [{ change: 'none' as const, workload }];
    if (scenario.kind === 'rebalance') return this.planned(items, { kind: 'rebalance', maxMoves: 3 });
    return this.planned(items, scenario);
  }

  private move(message: Message): Plan {
    moveRequestSchema.parse(message.json());
    const workload = { project: 'shop', name: 'web', generation: 1 };
    return this.planned([{ change: 'none', workload }], { kind: 'rebalance', maxMoves: 3 });
  }

  private planned(
    items: { change: Plan['items'][number]['change']; workload: WorkloadRef & { generation: number } }[],
    scenario: Scenario,
  ): Plan {
    const site = this.changed ? 'us-east' : 'eu-de';
    return {
      id: this.changed ? 'plan-fedcba9876543210' : 'plan-0123456789abcdef',
      scenario,
      before: { replicas: 0, costPerMonth: 0 },
      after: { replicas: items.length, costPerMonth: 3 * items.length, latencyMs: 12 },
      untouched: 2,
      items: items.map(({ change, workload }) => ({
        project: workload.project,
        name: workload.name,
        change,
        placement: placementOf(workload, site),
        moves: change === 'none' && scenario.kind === 'apply' ? [] : [{ site, before: 0, after: 1 }],
      })),
    };
  }

  private why(message: Message): Why {
    const { project, name, site, revision, at } = whyRequestSchema.parse(message.json());
    const earlier = revision !== undefined || at !== undefined;
    if (!this.statuses.has(workloadKey(project, name)))
      throw new Refusal('not-found', `no workload ${project}/${name}`);
    const remedy = 'free 100m at us-east';
    const checks = [{ check: 'capacity', ok: false, has: '0m', needs: '100m', remedy }];
    const sites: Why['sites'] = [
      {
        site: 'eu-de',
        chosen: 1,
        feasible: true,
        rank: 1,
        checks: [],
        terms: [{ term: 'latency', value: 12, unit: 'ms', cost: 12 }],
      },
      { site: 'us-east', chosen: 0, feasible: false, checks, terms: [] },
    ];
    return {
      placement: placementOf({ project, name, generation: 1 }),
      sites: sites.filter((one) => site === undefined || one.site === site),
      ...(earlier ? { from: 'recorded', reproduced: true } : { from: 'current' }),
      engine: '1',
      inputsChanged: earlier,
    };
  }
}

/** So small that three workloads take two pages. */
const PAGE = 2;

function placementOf(
  { project, name, generation }: WorkloadRef & { generation: number },
  site = 'eu-de',
): Placement {
  const digest = `sha256:${'0'.repeat(64)}`;
  return {
    kind: 'Placement',
    project,
    name,
    version: { term: 1, generation, revision: 1 },
    specDigest: digest,
    state: 'placed',
    wanted: 1,
    shares: [
      {
        site,
        replicas: 1,
        why: 'nearest to all users',
        demandShare: 1,
        latencyMs: 12,
        measured: true,
        costPerMonth: 3,
      },
    ],
    costPerMonth: 3,
    objective: 1,
    failedChecks: {},
    rejected: [],
    engine: { name: 'stand-in', version: '1' },
    seed: 0,
    inputs: { workload: digest, sites: digest },
    decidedAt: new Date().toISOString(),
    epoch: 1,
    requestId: 'stand-in-request',
  };
}

/** A status as the read model shows one. */
export function statusOf(name: string, more: Partial<Status> = {}): Status {
  return {
    kind: 'Status',
    project: 'shop',
    name,
    type: 'service',
    phase: 'running',
    generation: 1,
    wanted: 1,
    running: 1,
    sites: [{ site: 'eu-de', phase: 'ready', why: 'nearest', wanted: 1, running: 1, replicas: [] }],
    reasons: [],
    updatedAt: new Date().toISOString(),
    ...more,
  };
}

/** A workload document in YAML. */
export function yamlOf(name: string, replicas: number | string = 1): string {
  return [
    'apiVersion: skerry/v1',
    'kind: Workload',
    'metadata:',
    `  name: ${name}`,
    '  project: shop',
    'spec:',
    '  run:',
    '    command: [node, server.mjs]',
    '  placement:',
    `    replicas: ${replicas}`,
    '',
  ].join('\n');
}

/** A dataset document in YAML. */
export function datasetYamlOf(name: string, rules: string[] = []): string {
  return [
    'apiVersion: skerry/v1',
    'kind: Dataset',
    'metadata:',
    `  name: ${name}`,
    '  project: shop',
    'spec:',
    '  type: keyvalue',
    ...rules.map((rule) => `  ${rule}`),
    '',
  ].join('\n');
}

/** A workload that says it uses a dataset, in YAML. */
export function readerYamlOf(name: string, dataset: string): string {
  return `${yamlOf(name)}  data: [{dataset: ${dataset}, access: read}]\n`;
}
