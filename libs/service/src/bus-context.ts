import { BaseRpcContext } from '@nestjs/microservices';
import type { Body, Message } from '@skerry/bus';

/** A plain message as a listener gets it. */
export type PlainMessage = Message & { reply?: (body: Body) => void };

/** What `@Ctx()` gives to a handler: the message (or bucket change) itself. */
export class BusContext extends BaseRpcContext<[unknown]> {
  get heard(): unknown {
    return this.getArgs()[0];
  }
}
