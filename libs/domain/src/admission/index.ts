export * from './admit.js';
export { siteCommandId } from './decided.js';
export { DEMAND_POINTS_PER_WORKLOAD, demandOf, POINTS_PER_COUNTRY } from './demand.js';
export { claimOf, limitsOf, useOf } from './quota.js';
export { documentOf, RECOVERY_GATHERS_MS } from './recover.js';
export { datasetDocumentOf, declaredDatasetOf } from './recover-dataset.js';
export * from './types.js';
export { EVACUATION_MS } from './sites.js';
