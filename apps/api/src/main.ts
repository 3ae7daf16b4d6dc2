import 'reflect-metadata';
import { runService } from '@skerry/service';
import { apiService } from './service.js';

await runService(apiService);
