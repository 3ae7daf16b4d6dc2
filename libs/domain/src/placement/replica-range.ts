import type { PlacementRules } from '@skerry/contracts';

/** The least and the most replicas that a workload asks for; equal when it names one number. */
export function replicaRange({ replicas }: Pick<PlacementRules, 'replicas'>): { min: number; max: number } {
  return typeof replicas === 'number' ? { min: replicas, max: replicas } : replicas;
}
