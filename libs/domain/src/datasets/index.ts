export * from './admit-copies.js';
export * from './clock.js';
export * from './digest.js';
export * from './judge-record.js';
export type { Author, Seen, Shown, Write } from './rule.js';
export * from './states.js';
