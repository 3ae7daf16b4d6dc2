import { MemoryReadModel } from './memory-read-model.store.js';
import { readModelSuite } from './read-model.suite.js';

describe('the read model in memory', () => {
  readModelSuite(async () => new MemoryReadModel());
});
