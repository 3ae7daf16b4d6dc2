export * from './areas.js';
export * from './bare-state.js';
export { isOver as isKeyOver, newestKey, takesKey, withWraps } from './judge-key.js';
