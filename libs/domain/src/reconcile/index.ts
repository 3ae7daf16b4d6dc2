export * from './reconcile.js';
export * from './reconcile-types.js';
export * from './restart-rules.js';
export * from './fit.js';
export { runsOf, RUNS_AT_ONCE_MAX, type CronWanted, type Runs } from './cron-runs.js';
