/** What a person can do something about: a wrong key, a hub that is not empty, a chunk that is damaged. */
export class BackupTrouble extends Error {
  override readonly name = 'BackupTrouble';
  constructor(
    message: string,
    /** What to do about it. */
    readonly hint?: string,
    /** Further lines: which chunks, which buckets. */
    readonly lines: readonly string[] = [],
  ) {
    super(message);
  }
}
