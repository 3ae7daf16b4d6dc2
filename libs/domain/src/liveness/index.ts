export * from './timings.js';
export * from './lease.js';
export * from './liveness.js';
export * from './site-news.js';
export * from './token-bucket.js';
export * from './intake-quota.js';
