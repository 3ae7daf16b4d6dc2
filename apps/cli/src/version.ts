/** The version of this CLI, which is the repository's. */
export const VERSION = '0.1.0';
