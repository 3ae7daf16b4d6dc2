export { REPLICATOR } from './service.js';
