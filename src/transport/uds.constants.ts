/**
 * The transport's id: `@MessagePattern('echo', UDS_TRANSPORT)` binds a handler to this transport alone, and a handler
 * that is pinned to another one is not bound to this.
 */
export const UDS_TRANSPORT = Symbol('UDS');
