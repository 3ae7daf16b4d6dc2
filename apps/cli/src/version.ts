/** The version of this CLI, which is the repository's. */
export { VERSION } from '@skerry/contracts';
