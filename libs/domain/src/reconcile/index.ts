export * from './reconcile.js';
export * from './reconcile-types.js';
export * from './restart-rules.js';
export * from './fit.js';
