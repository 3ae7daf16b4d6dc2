export * from './areas.js';
export * from './given.js';
export * from './given-entries.js';
export * from './redact.js';
