export * from './admit-request.js';
export * from './decide-change.js';
export * from './site-report.js';
