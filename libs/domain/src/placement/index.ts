export { positionOf, distanceKm, estimatedRttMs } from './geo.js';
export { siteFacts } from './site-facts.js';
export * from './types.js';
export * from './weights.js';
