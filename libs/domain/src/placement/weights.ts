/** What each term of the objective is worth, in currency units a month. Lower objective is better. */
export interface Weights {
  /** For each millisecond of the mean user's round trip. */
  readonly perLatencyMs: number;
  /** For each currency unit a month that the replicas cost. */
  readonly perPrice: number;
  /** When none of the replicas' sites has any of the preferred labels. */
  readonly perPreference: number;
  /** When the replicas' sites are full, against empty ones. */
  readonly perUse: number;
  /** When all replicas are at one site, against as many sites as replicas. */
  readonly perConcentration: number;
  /** When all replicas that could stay are moved: what a move has to gain. */
  readonly perMove: number;
}

/** One unit for one millisecond of the mean user: a region 10 ms nearer may cost 10 units a month more. */
export const DEFAULT_WEIGHTS: Weights = {
  perLatencyMs: 1,
  perPrice: 1,
  perPreference: 10,
  perUse: 5,
  perConcentration: 5,
  perMove: 10,
};
