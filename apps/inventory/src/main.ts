import { runService } from '@skerry/service';
import { INVENTORY } from './service.js';

/** Inventory: which sites and nodes there are and how they fare, and the door through which sites report. */
await runService(INVENTORY);
