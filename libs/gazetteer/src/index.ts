export { Gazetteer } from './gazetteer.js';
