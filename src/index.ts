export {
  ConnectionError,
  ERROR_CODES,
  ProtocolError,
  RemoteError,
  UdsError,
  type UdsErrorCode,
  UsageError,
} from './protocol/errors.js';
export { UdsClient } from './transport/uds.client.js';
export { UDS_TRANSPORT } from './transport/uds.constants.js';
export { UdsContext, type UdsPeer, type UdsStats } from './transport/uds.context.js';
export { OPTION_TABLE, type OptionRow } from './transport/uds.option-table.js';
export type { UdsClientOptions, UdsServerOptions } from './transport/uds.options.js';
export { udsClient, type UdsClientProvider, udsServer } from './transport/uds.providers.js';
export { UdsRecord, UdsRecordBuilder } from './transport/uds.record.js';
export { UdsServer } from './transport/uds.server.js';
