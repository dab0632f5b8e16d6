export {
  ConnectionError,
  ERROR_CODES,
  type Fault,
  ProtocolError,
  RemoteError,
  UdsError,
  type UdsErrorCode,
  UsageError,
} from './protocol/errors.js';
export { CHOICE_TABLE, type ChoiceRow } from './transport/uds.choice-table.js';
export { UdsClient } from './transport/uds.client.js';
export { UDS_TRANSPORT } from './transport/uds.constants.js';
export { UdsContext, type UdsPeer, type UdsStats } from './transport/uds.context.js';
export type { UdsDialect, UdsEndpoint } from './transport/uds.endpoints.js';
export type { UdsClientEvents, UdsServerEvents } from './transport/uds.events.js';
export type { OptionRow, OptionSide } from './transport/uds.option-row.js';
export { OPTION_TABLE } from './transport/uds.option-table.js';
export type {
  UdsClientOptions,
  UdsServerOptions,
  UdsServerPlace,
  UdsServerSettings,
  UdsSharedOptions,
} from './transport/uds.options.js';
export { udsClient, type UdsClientProvider, udsServer } from './transport/uds.providers.js';
export { type Metadata, UdsRecord, UdsRecordBuilder } from './transport/uds.record.js';
export { UdsServer } from './transport/uds.server.js';
export {
  type Closable,
  type ShutdownOptions,
  shutDownOnSignals,
  type SignalledProcess,
} from './transport/uds.shutdown.js';
