import { asked, logOf } from '../asked.js';
import type { Kit } from '../kit.js';
import { exception, type Row, type Scenario } from '../row.js';
import { completes, fails, type Trace, trace } from '../trace.js';
import { passedOver, refused } from '../unserializable-values.js';
import { boot } from '../world.js';

type How = 'send' | 'emit';

interface Seen {
  readonly caller: Trace;
  /** The payloads that the handler got. */
  readonly got: readonly unknown[];
  readonly log: readonly string[];
}

/** Gives a payload that JSON can't hold, and then has a good one answered. */
const giving =
  (how: How, make: () => unknown) =>
  async (kit: Kit): Promise<Seen> => {
    const got: unknown[] = [];
    const world = await boot(
      kit,
      asked((payload) => void got.push(payload)),
    );
    const caller = await trace(world.client[how]('ask', make()));
    await trace(world.client.send('beside', 'please'));
    return { caller: firstLine(caller), got, log: logOf(world) };
  };

/** What JSON.stringify says of a cycle goes on for lines, which differ from Node to Node. */
function firstLine({ values, end }: Trace): Trace {
  if (typeof end === 'string' || typeof end.error !== 'string') return { values, end };
  return fails(end.error.replace(/\n.*/s, ''), ...values);
}

const ours = {
  says: 'fails with UNSERIALIZABLE_PAYLOAD; nothing is sent',
  sees: { caller: fails('UsageError UNSERIALIZABLE_PAYLOAD'), got: [], log: [] } satisfies Seen,
};

const refusal = (how: How, [says, make, complaint]: (typeof refused)[number]): Row =>
  exception(`${says}, given to \`${how}\``, giving(how, make), {
    tcp: {
      says: 'fails with what `JSON.stringify` threw; nothing is sent',
      sees: { caller: fails(complaint), got: [], log: [] } satisfies Seen,
    },
    uds: ours,
    because: 'Our own refusals have codes.',
  });

const loss = (how: How, [says, make]: (typeof passedOver)[number]): Row =>
  exception(`${says}, given to \`${how}\``, giving(how, make), {
    tcp: {
      says: 'is sent without a payload',
      sees: {
        caller: how === 'send' ? completes() : completes(undefined),
        got: [undefined],
        log: [],
      } satisfies Seen,
    },
    uds: ours,
    because: 'A call without its payload is another call: it is refused, as a payload of undefined is.',
  });

/** A Proxy of which nothing can be asked any more. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

export const unserializablePayloads: Scenario = {
  title: 'Payloads that JSON cannot hold',
  rows: [
    ...refused.map((payload) => refusal('send', payload)),
    refusal('send', [
      'a revoked Proxy',
      revoked,
      "TypeError: Cannot perform 'get' on a proxy that has been revoked",
    ]),
    ...passedOver.map((payload) => loss('send', payload)),
    ...refused.slice(0, 1).map((payload) => refusal('emit', payload)),
    ...passedOver.slice(0, 1).map((payload) => loss('emit', payload)),
  ],
};
