export { ActiveRole, Roles, type RoleOptions, type RoleWork } from './active-role.js';
export type { HttpAddress } from './assemble.js';
export { BusContext, type PlainMessage } from './bus-context.js';
export { BusStrategy } from './bus-strategy.js';
export {
  BASE_VARIABLES,
  parseConfig,
  variable,
  wholeNumber,
  wholeNumberOr,
  type BaseConfig,
  type ConfigOf,
  type ConfigProblem,
  type ParsedConfig,
  type Variable,
  type Variables,
} from './config.js';
export {
  OnChange,
  OnFollowed,
  OnPlain,
  OnRequest,
  OnStored,
  type ChangeOptions,
  type FollowedOptions,
  type PlainOptions,
  type StoredOptions,
} from './decorators.js';
export { JsonLog, masked, type LogFields, type LogLevel } from './json-log.js';
export type { Needs } from './owned.js';
export { Readiness, type Gate, type ReadinessReport } from './readiness.js';
export { DRAIN_MS, EXIT_CONFIG, runService } from './run-service.js';
export {
  allVariables,
  startService,
  type RunningService,
  type ServiceConfig,
  type ServiceDefinition,
  type StartOptions,
} from './service.js';
export { BUS, CONFIG } from './tokens.js';
export { carriedOn, spanned, traceIdOf } from './tracing.js';
