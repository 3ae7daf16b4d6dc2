import { applyDecorators, Controller, UseGuards, UseInterceptors } from '@nestjs/common';
import { TraceInterceptor } from './request-trace.js';
import { TokenGuard } from './token.guard.js';

/** Methods of the api over HTTP, below `/v1`: every caller shows a token, and every request is part of a trace. */
export const HttpController = () =>
  applyDecorators(Controller('v1'), UseGuards(TokenGuard), UseInterceptors(TraceInterceptor));
