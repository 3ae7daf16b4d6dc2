import { Refusal } from '@skerry/contracts';

/** What one hears who asks who owns him, and is no singleton. */
export function noSingleton(): Refusal {
  return new Refusal('unauthorized', 'no singleton here has this token');
}
