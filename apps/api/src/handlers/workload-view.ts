import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus } from '@skerry/bus';
import {
  BUCKETS,
  type Placement,
  placementSchema,
  Refusal,
  RPC,
  type Status,
  type StatusListAnswer,
  statusListAnswerSchema,
  type StatusListRequest,
  statusSchema,
  type Why,
  type WhyRequest,
  whySchema,
  type Workload,
  workloadKey,
  type WorkloadRef,
  storedAs,
  workloadSchema,
  type WorkloadView,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';

/** An earlier decision is made again from what was kept of it. */
const WHY_WAIT_MS = 10_000;

/** What is known of workloads: read from their owners' buckets, the read model and the scheduler. */
@Injectable()
export class WorkloadViews {
  private readonly workloads: Bucket<Workload>;
  private readonly placements: Bucket<Placement>;

  constructor(@Inject(BUS) private readonly bus: Bus) {
    this.workloads = bus.bucket(BUCKETS.workloads, storedAs(workloadSchema));
    this.placements = bus.bucket(BUCKETS.placements, storedAs(placementSchema));
  }

  /** One workload whole. The read model may be away: then the view has no status. */
  async one(ref: WorkloadRef): Promise<WorkloadView> {
    const key = workloadKey(ref.project, ref.name);
    const [workload, placement, status] = await Promise.all([
      this.workloads.get(key),
      this.placements.get(key),
      this.status(ref).catch(() => undefined),
    ]);
    if (!workload || workload.value.removed) throw unknown(ref);
    return {
      workload: workload.value,
      ...(placement ? { placement: placement.value } : {}),
      ...(status ? { status } : {}),
    };
  }

  async status(ref: WorkloadRef): Promise<Status> {
    return statusSchema.parse((await this.bus.request(RPC.status, ref)).json());
  }

  async page(request: StatusListRequest): Promise<StatusListAnswer> {
    return statusListAnswerSchema.parse((await this.bus.request(RPC.statusList, request)).json());
  }

  /** A decision and every site's explanation, or one site's alone. */
  async why(request: WhyRequest): Promise<Why> {
    const options = { timeoutMs: WHY_WAIT_MS };
    const why = whySchema.parse((await this.bus.request(RPC.why, request, options)).json());
    const { site } = request;
    if (site === undefined) return why;
    const sites = why.sites.filter((one) => one.site === site);
    if (sites.length > 0) return { ...why, sites };
    throw new Refusal('not-found', `no site ${site}`, { hint: 'see `skerry site ls`' });
  }
}

function unknown({ project, name }: WorkloadRef): Refusal {
  return new Refusal('not-found', `no workload ${project}/${name}`, { hint: 'see `skerry status`' });
}
