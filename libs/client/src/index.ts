export { SkerryClient, newRequestId, type CommandOptions, type Done } from './client.js';
export { NotSkerry, ProblemError, Unreachable } from './errors.js';
export type { EventOptions, LogItem, LogOptions, StatusChange } from './streams.js';
export { newTraceParent, traceHeader, type TraceParent } from './traceparent.js';
export type { TransportOptions } from './transport.js';
