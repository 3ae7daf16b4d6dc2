import { bucketSuite } from './suite/bucket.suite.js';
import { consumeSuite } from './suite/consume.suite.js';
import { followSuite } from './suite/follow.suite.js';
import { leaseSuite } from './suite/lease.suite.js';
import type { OpenMeeting } from './suite/meeting.suite.js';
import { publishSuite } from './suite/publish.suite.js';
import { requestSuite } from './suite/request.suite.js';

/** Everything that a bus promises; each implementation runs it. */
export function busSuite(open: OpenMeeting): void {
  publishSuite(open);
  requestSuite(open);
  consumeSuite(open);
  followSuite(open);
  bucketSuite(open);
  leaseSuite(open);
}
