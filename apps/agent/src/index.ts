export { Copies } from './datasets/copies.js';
export { NodeAgent } from './node-agent.js';
export { siteFileSchema, type SiteFile } from './site-file.js';
export { Uplink } from './uplink.js';
export { AGENT_VERSION } from './version.js';
