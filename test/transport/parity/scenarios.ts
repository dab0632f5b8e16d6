import type { FiledScenario, Scenario } from './row.js';
import { asyncContext } from './scenarios/async-context.js';
import { cancelling } from './scenarios/cancelling.js';
import { closing } from './scenarios/closing.js';
import { codecs } from './scenarios/codecs.js';
import { connecting } from './scenarios/connecting.js';
import { durableProviders } from './scenarios/durable-providers.js';
import { errorPlaces } from './scenarios/error-places.js';
import { errors } from './scenarios/errors.js';
import { events } from './scenarios/events.js';
import { filterResults } from './scenarios/filter-results.js';
import { filters } from './scenarios/filters.js';
import { guards } from './scenarios/guards.js';
import { hybrid } from './scenarios/hybrid.js';
import { interceptors } from './scenarios/interceptors.js';
import { limits } from './scenarios/limits.js';
import { logging } from './scenarios/logging.js';
import { metadata } from './scenarios/metadata.js';
import { nothingThere } from './scenarios/nothing-there.js';
import { objectPatterns } from './scenarios/object-patterns.js';
import { objects } from './scenarios/objects.js';
import { observables } from './scenarios/observables.js';
import { parameters } from './scenarios/parameters.js';
import { patterns } from './scenarios/patterns.js';
import { pinned } from './scenarios/pinned.js';
import { pipes } from './scenarios/pipes.js';
import { preRequestHooks } from './scenarios/pre-request-hooks.js';
import { processingHooks } from './scenarios/processing-hooks.js';
import { results } from './scenarios/results.js';
import { scopes } from './scenarios/scopes.js';
import { serializers } from './scenarios/serializers.js';
import { surface } from './scenarios/surface.js';
import { twoServers } from './scenarios/two-servers.js';
import { unserializablePayloads } from './scenarios/unserializable-payloads.js';
import { unserializable } from './scenarios/unserializable.js';
import { validation } from './scenarios/validation.js';
import { values } from './scenarios/values.js';
import { wiring } from './scenarios/wiring.js';

/** Every scenario, in the order in which docs/parity.md shows them; its name here is that of its file, in kebab case. */
const byName: Readonly<Record<string, Scenario>> = {
  limits,
  cancelling,
  values,
  objects,
  results,
  observables,
  unserializable,
  unserializablePayloads,
  errors,
  errorPlaces,
  filters,
  filterResults,
  nothingThere,
  patterns,
  objectPatterns,
  events,
  scopes,
  durableProviders,
  guards,
  pipes,
  validation,
  interceptors,
  preRequestHooks,
  asyncContext,
  parameters,
  metadata,
  processingHooks,
  serializers,
  codecs,
  surface,
  connecting,
  closing,
  hybrid,
  pinned,
  twoServers,
  wiring,
  logging,
};

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export const scenarios: readonly FiledScenario[] = Object.entries(byName).map(([name, scenario]) => ({
  ...scenario,
  file: `test/transport/parity/scenarios/${kebab(name)}.ts`,
}));
