export { skewOf, upgradeOrder, type SiteToUpgrade, type Skew } from './upgrade-order.js';
