import { Inject, Injectable } from '@nestjs/common';
import { AdmitHandler } from './admit.handler.js';
import { CommandHandler } from './command.handler.js';
import { QuotasHandler } from './quotas.handler.js';

/** What is decided of commands: for good, and on trial; and the quotas that it is measured by. */
@Injectable()
export class DecisionHandlers {
  constructor(
    @Inject(CommandHandler) readonly commands: CommandHandler,
    @Inject(AdmitHandler) readonly trials: AdmitHandler,
    @Inject(QuotasHandler) readonly quotas: QuotasHandler,
  ) {}
}
