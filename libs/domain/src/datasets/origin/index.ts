export * from './areas.js';
export * from './given.js';
export * from './redact.js';
