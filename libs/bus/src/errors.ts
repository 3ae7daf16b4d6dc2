/** A compare-and-set that lost: the key or subject has moved on. Re-read, decide again. */
export class Conflict extends Error {
  override readonly name = 'Conflict';

  /** Where the subject is, 0 for nothing; undefined when the server did not say. */
  get lastSequence(): number | undefined {
    const found = /wrong last sequence: (\d+)/.exec(this.message)?.[1];
    return found === undefined ? undefined : Number(found);
  }
}
/** Nobody answers: no responder, no stream, or not connected. Safe to retry. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}
/** No answer in time: it may or may not have happened. Retry with the same message id. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut';
}
/** The stream has reached its limit, or the server's disk is full. */
export class StorageFull extends Error {
  override readonly name = 'StorageFull';
}
/** A message that is not what it should be. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}
/** More than one message may hold. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}
/** The server refuses this subject to this user. */
export class Forbidden extends Error {
  override readonly name = 'Forbidden';
}
