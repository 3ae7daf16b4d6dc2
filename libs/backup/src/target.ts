/** Where backups lie: blobs by name, `/` between its parts. What was put is there whole, or not at all. */
export interface Target {
  /** As it is shown: a path, or `s3://bucket/prefix`. */
  readonly place: string;
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** Undefined when there is none. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** Done when there is none any more, also when there was none. */
  remove(name: string): Promise<void>;
  /** Names of all blobs that begin with `prefix`, which ends with `/`. */
  list(prefix: string): Promise<string[]>;
}
