export type { StatusInput } from './facts.js';
export * from './fold-status.js';
export * from './newest.js';
export { MAX_REASONS } from './reasons.js';
