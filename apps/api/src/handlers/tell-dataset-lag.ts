import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import {
  behindAnswerSchema,
  RPC,
  type BehindAnswer,
  type DatasetLag,
  type DatasetWhere,
  type WorkloadRef,
} from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { AskDatasets, refuseLog } from './ask-datasets.js';

const WAIT_MS = 10_000;

/** How far the copies of a dataset are behind: the sites say where they are, the replicator what lies behind that. */
@Injectable()
export class TellDatasetLag {
  constructor(
    @Inject(BUS) private readonly bus: Bus,
    @Inject(AskDatasets) private readonly ask: AskDatasets,
  ) {}

  async of(ref: WorkloadRef): Promise<DatasetLag> {
    const { dataset, copies } = await this.ask.where(ref);
    refuseLog(dataset);
    const { project, name } = dataset;
    const after = copies.flatMap(({ state }) => (state === undefined ? [] : [state.cursor]));
    const body = { project, name, after: [...new Set(after)] };
    const answer = await this.bus.request(RPC.behind, body, { timeoutMs: WAIT_MS });
    const behind = behindAnswerSchema.parse(answer.json());
    const nowMs = Date.now();
    const sites = copies.map((copy) => lagOf(copy, behind, nowMs));
    return { dataset: { project, name }, head: behind.head, sites };
  }
}

function lagOf(
  { site, state, problem }: DatasetWhere['copies'][number],
  { places }: BehindAnswer,
  nowMs: number,
): DatasetLag['sites'][number] {
  if (state === undefined) return { site, problem: problem ?? 'nothing is known of it' };
  const place = places.find(({ after }) => after === state.cursor);
  const ageOf = (at: string | undefined) =>
    at === undefined ? 0 : Math.max(0, Math.round(nowMs - Date.parse(at)));
  return {
    site,
    records: place?.records ?? 0,
    behindMs: ageOf(place?.since),
    unsent: state.unsent,
    unsentMs: ageOf(state.unsentSince),
    ...(state.trouble === undefined ? {} : { problem: state.trouble }),
  };
}
