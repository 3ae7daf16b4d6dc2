export * from './cloud.js';
export * from './cloud-file.js';
export * from './paths.js';
export * from './ports.js';
export * from './processes.js';
export * from './relay.js';
export * from './sites.js';
export * from './supervisor.js';
