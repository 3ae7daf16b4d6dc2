export { SCHEDULER } from './service.js';
