export { siteFileSchema, type SiteFile } from './site-file.js';
export { AGENT_VERSION } from './version.js';
