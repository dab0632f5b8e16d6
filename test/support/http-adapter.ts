import { AbstractHttpAdapter } from '@nestjs/core';
import { createServer, type Server } from 'node:http';

const nothing = (): undefined => undefined;

/**
 * As little HTTP as a hybrid application needs: a real `http.Server` that Nest may listen with and close, and not one
 * route. @nestjs/platform-express would be a dependency for this alone.
 */
export class BareHttpAdapter extends AbstractHttpAdapter<Server> {
  useStaticAssets = nothing;
  setViewEngine = nothing;
  getRequestHostname = nothing;
  getRequestMethod = nothing;
  getRequestUrl = nothing;
  status = nothing;
  reply = nothing;
  end = nothing;
  render = nothing;
  redirect = nothing;
  setErrorHandler = nothing;
  setNotFoundHandler = nothing;
  isHeadersSent = nothing;
  getHeader = nothing;
  setHeader = nothing;
  appendHeader = nothing;
  registerParserMiddleware = nothing;
  enableCors = nothing;
  createMiddlewareFactory = () => nothing;
  getType = () => 'bare';
  applyVersionFilter = () => () => nothing;

  constructor() {
    super({ use: nothing });
  }

  initHttpServer(): void {
    this.httpServer = createServer();
  }

  override listen(...args: unknown[]): unknown {
    const callback = args.at(-1) as () => void;
    return this.httpServer.listen(0, '127.0.0.1', callback);
  }

  async close(): Promise<void> {
    if (!this.httpServer.listening) return;
    await new Promise((resolve) => this.httpServer.close(resolve));
  }
}
