import { Module } from '@nestjs/common';
import { EchoController } from './echo.controller.js';

/**
 * The echo service: `echo`, `echo.stream` and `health`.
 *
 * @example
 * const app = await NestFactory.createMicroservice(EchoModule, udsServer({ path: '/run/echo/echo.sock' }));
 * await app.listen();
 */
@Module({ controllers: [EchoController] })
export class EchoModule {}
