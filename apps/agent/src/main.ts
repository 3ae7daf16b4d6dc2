import './small.js';
import { main } from './commands.js';

process.exitCode = await main(process.argv.slice(2));
// Timers and sockets of libraries do not keep an ended agent.
process.exit();
