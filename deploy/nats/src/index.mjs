// Plain JavaScript with types beside it, without dependencies: it runs before anything is installed or built.
export { ensureNatsServer, findNatsServer, NatsServerMissing } from './ensure.mjs';
export { ensureDebianTool } from './tool.mjs';
export { isAtLeast, MINIMUM_VERSION } from './version.mjs';
