import { Inject, Injectable } from '@nestjs/common';
import { CutOffHandler } from './cut-off.handler.js';
import { JoinHandler } from './join.handler.js';
import { RenewHandler } from './renew.handler.js';
import { RetiredHandler } from './retired.handler.js';
import { TicketHandler } from './ticket.handler.js';

/** What is asked about sites joining, staying and leaving. */
@Injectable()
export class MembershipHandlers {
  constructor(
    @Inject(TicketHandler) readonly tickets: TicketHandler,
    @Inject(JoinHandler) readonly joins: JoinHandler,
    @Inject(RenewHandler) readonly renewals: RenewHandler,
    @Inject(CutOffHandler) readonly cutOffs: CutOffHandler,
    @Inject(RetiredHandler) readonly retired: RetiredHandler,
  ) {}
}
