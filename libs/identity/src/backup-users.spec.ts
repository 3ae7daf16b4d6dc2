import { describe, expect, it } from '@jest/globals';
import { BUCKETS, bucketStream, STREAMS } from '@skerry/contracts';
import { BACKUP, RESTORE } from './backup-users.js';

const ALL = [
  ...Object.values(BUCKETS).map(({ name }) => bucketStream(name)),
  ...Object.values(STREAMS).map(({ name }) => name),
];

describe('who backs up, and who restores', () => {
  it('reads without writing anywhere, and takes no command away', () => {
    expect(BACKUP.pub.filter((subject) => !subject.startsWith('$JS.'))).toEqual([]);
    expect(BACKUP.pub.filter((s) => /STREAM\.(CREATE|UPDATE|DELETE|PURGE|MSG)/.test(s))).toEqual([]);
    expect(BACKUP.pub.filter((s) => /\.(CMD|KV_leases)\b/.test(s)).toSorted()).toEqual([
      '$JS.API.STREAM.INFO.CMD',
      '$JS.API.STREAM.INFO.KV_leases',
    ]);
    expect(BACKUP.sub).toEqual(['_INBOX_backup.>']);
  });

  it('makes every stream anew, and speaks to no site, no app and no account', () => {
    for (const stream of ALL) expect(RESTORE.pub).toContain(`$JS.API.STREAM.CREATE.${stream}`);
    expect(RESTORE.pub.filter((s) => /^(>|dl\.|rpc\.|ing\.|_|\$SYS|skerry\.(cmd|rpc|live))/.test(s))).toEqual(
      [],
    );
    expect(RESTORE.sub).toEqual(['_INBOX_restore.>']);
  });
});
