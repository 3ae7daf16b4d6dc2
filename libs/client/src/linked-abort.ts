/** A signal of one's own that also aborts with another. */
export interface LinkedAbort {
  signal: AbortSignal;
  abort: (reason?: unknown) => void;
  /** Lets go of the other signal; call it when done. */
  release: () => void;
}

/**
 * Links a new controller to `parent`. In place of `AbortSignal.any`, whose signals Node 20 may collect while somebody
 * still waits for them, so that an abort is lost.
 */
export function linkedAbort(parent: AbortSignal | undefined): LinkedAbort {
  const controller = new AbortController();
  const follow = () => controller.abort(parent?.reason);
  if (parent?.aborted === true) follow();
  parent?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => parent?.removeEventListener('abort', follow),
  };
}
