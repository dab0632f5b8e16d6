import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';

/** Echoes everything but one message in the middle: that one comes back changed, or not at all. */
@Controller()
export class WrongEcho {
  static isSilent = false;

  @MessagePattern('echo')
  echo(@Payload() text: string): unknown {
    if (!text.endsWith('(5000)')) return text;
    if (WrongEcho.isSilent) throw new Error('this one is lost');
    return text.toUpperCase();
  }
}
