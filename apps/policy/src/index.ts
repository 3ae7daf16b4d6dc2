export { POLICY } from './service.js';
export { IDENTITY, SYSTEM_BUS } from './sites/system-bus.js';
