export * from './wanted.js';
export * from './differences.js';
export * from './access.js';
export * from './acknowledged.js';
export * from './repair.js';
export * from './retirement.js';
