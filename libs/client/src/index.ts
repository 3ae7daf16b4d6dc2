export { SkerryClient, newRequestId, type CommandOptions, type Done } from './client.js';
export { NotSkerry, ProblemError, Unreachable } from './errors.js';
export type { EventOptions, LogItem, LogOptions, StatusChange } from './streams.js';
export { newTraceParent, traceHeader, type TraceParent } from './traceparent.js';
export type { Content, TransportOptions } from './transport.js';
export { NoAgent, SiteData } from './site/site-access.js';
export type { KeyValues, ListOptions } from './site/key-values.js';
export type { KeyChange, WatchOptions } from './site/watch-keys.js';
export type { OpenObject, OpenOptions } from './site/open-object.js';
export type { Followed } from './site/patience.js';
export {
  PartlyAppended,
  type Appended,
  type LogPage,
  type ReadOptions,
  type SiteLog,
} from './site/site-log.js';
export type { ObjectHead, SiteObjects } from './site/site-objects.js';
export type { DatasetEntry, ObjectEntry, Ownership } from '@skerry/contracts';
