/** The version of Skerry: one number for all of its parts, semver. The centre and an agent may be one minor version apart. */
export const VERSION = '0.2.0';
