import { Inject, Injectable } from '@nestjs/common';
import { AdmitHandler } from './admit.handler.js';
import { CommandHandler } from './command.handler.js';

/** What is decided of commands: for good, and on trial. */
@Injectable()
export class DecisionHandlers {
  constructor(
    @Inject(CommandHandler) readonly commands: CommandHandler,
    @Inject(AdmitHandler) readonly trials: AdmitHandler,
  ) {}
}
