import { describe, expect, it } from '@jest/globals';
import { UdsServer, type UdsServerOptions } from '../../src/index.js';

const path = '/run/app/app.sock';
const make = (options: object): UdsServer => new UdsServer(options as UdsServerOptions);

describe('the options of a server are refused where', () => {
  it.each<[string, object, RegExp]>([
    [
      'onLive is none of its words',
      { path, onLive: 'replace' },
      /onLive must be one of refuse, takeover.*"replace"/,
    ],
    ['onGone is none of its words', { path, onGone: true }, /onGone must be one of warn, recreate.*true/],
    [
      'a file is to be made anew that nobody looks at',
      { path, onGone: 'recreate', fileCheckIntervalMs: 0 },
      /onGone is 'recreate' and fileCheckIntervalMs 0/,
    ],
    [
      'a raw endpoint is to be taken over',
      { endpoints: [{ path }, { path: '/run/raw', dialects: ['raw'], pattern: 'x' }], onLive: 'takeover' },
      /onLive is 'takeover', but the endpoint \/run\/raw does not serve the dialect binary/,
    ],
    [
      'an endpoint without binary is to be taken over',
      { endpoints: [{ path, dialects: ['ndjson'] }], onLive: 'takeover' },
      /does not serve the dialect binary/,
    ],
  ])('%s', (_what, options, message) => {
    expect(() => make(options)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(message) }),
    );
  });

  it('and not where they make sense', () => {
    expect(make({ path, onLive: 'takeover', onGone: 'recreate' })).toBeInstanceOf(UdsServer);
    expect(make({ path, onGone: 'warn', fileCheckIntervalMs: 0 })).toBeInstanceOf(UdsServer);
    expect(make({ path, onLive: undefined, onGone: undefined })).toBeInstanceOf(UdsServer);
  });
});
