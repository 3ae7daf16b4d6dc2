import { runService } from '@skerry/service';
import { REPLICATOR } from './service.js';

/** Replicator: brings to every site what the placements want there, and keeps it so. */
await runService(REPLICATOR);
