import { runService } from '@skerry/service';
import { TELEMETRY } from './service.js';

/** Telemetry: the read model, folded from everything that is wanted, placed and reported. */
await runService(TELEMETRY);
