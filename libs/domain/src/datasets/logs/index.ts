export * from './continuity.js';
export * from './edge-rule.js';
export * from './judge-entries.js';
