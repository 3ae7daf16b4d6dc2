/** What it takes to read one stream or bucket: look, get, and consume, durably or in order. */
export function readStream(stream: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
    `$JS.API.CONSUMER.CREATE.${stream}.*`,
    `$JS.API.CONSUMER.INFO.${stream}.*`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.ACK.${stream}.>`,
  ];
}

/** What it takes to keep one stream or bucket: create, change, purge, delete. Writing into it is granted apart. */
export function ownStream(stream: string): string[] {
  return ['STREAM.CREATE', 'STREAM.UPDATE', 'STREAM.DELETE', 'STREAM.PURGE', 'STREAM.MSG.DELETE'].map(
    (call) => `$JS.API.${call}.${stream}`,
  );
}

/** What it takes to handle a dead letter again, and to drop it. */
export function redeliver(): string[] {
  return [
    '$JS.API.STREAM.INFO.DEAD',
    '$JS.API.DIRECT.GET.DEAD',
    '$JS.API.DIRECT.GET.DEAD.>',
    '$JS.API.STREAM.MSG.DELETE.DEAD',
  ];
}
