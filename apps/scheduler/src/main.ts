import { runService } from '@skerry/service';
import { SCHEDULER } from './service.js';

/** Scheduler: decides how many replicas run at which sites, and commits that. */
await runService(SCHEDULER);
