import { randomBytes } from 'node:crypto';
import type { Assignment } from '@skerry/contracts';
import { isSingle } from '../control/site-state.js';

/** Moves between nodes of a site under one epoch of the centre. */
const MOVES_PER_EPOCH = 1_000_000;

/** The epoch that a workload fences its writes with: it rises whenever another site, or another node of one, owns it. */
export function epochOf(assignment: Pick<Assignment, 'epoch'>, moves: number): number {
  return (assignment.epoch ?? 0) * MOVES_PER_EPOCH + Math.min(moves, MOVES_PER_EPOCH - 1);
}

/** Whether what runs has to know who owns it. */
export function isOwned(assignment: Assignment): boolean {
  return isSingle(assignment) && assignment.run.driver !== 'mock';
}

/** 192 random bits. */
export function replicaToken(): string {
  return randomBytes(24).toString('base64url');
}
