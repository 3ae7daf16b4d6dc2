export * from './admission/index.js';
export * from './liveness/index.js';
export * from './placement/index.js';
export * from './reconcile/index.js';
export * from './replication/index.js';
export * from './schedule/index.js';
export * from './status/index.js';
export * from './upgrade/index.js';
