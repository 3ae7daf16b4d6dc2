import { Injectable } from '@nestjs/common';

/**
 * The time that decisions are made by: ms since the epoch as this machine had it when the process began, counted on by the
 * monotonic clock. It never jumps, so that what has to have lasted a while has; who owned a singleton before depends on it.
 */
@Injectable()
export class SteadyClock {
  private readonly origin = Date.now() - performance.now();

  now(): number {
    return Math.round(this.origin + performance.now());
  }
}
