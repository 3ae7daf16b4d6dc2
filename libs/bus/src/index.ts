export * from './alarm.js';
export * from './bus.js';
export * from './clock.js';
export * from './dead-letters.js';
export * from './errors.js';
export { connectBus } from './nats/nats-bus.js';
export type { ConnectOptions } from './nats/link.js';
export { matches } from './subject.js';
export { traceOf, withTrace } from './trace.js';
