import { runService } from '@skerry/service';
import { POLICY } from './service.js';

/** Policy: who may do what, and whether what is asked for obeys the rules. */
await runService(POLICY);
