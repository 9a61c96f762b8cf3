import { longestConnectMs } from '../../session.ts'
import { plugin } from '../../wire/mysql/auth.ts'
import { capability, combine, commonCapabilities, intersect, without } from '../../wire/mysql/capabilities.ts'
import { quit } from '../../wire/mysql/encode.ts'
import { decodeGreeting, encodeLogin, type Greeting, type Login } from '../../wire/mysql/handshake.ts'
import { encodePacket } from '../../wire/mysql/packets.ts'
import { type BrokerAsk, openBrokerSocket } from '../broker-socket.ts'
import type { TriedClient } from '../local-protocol.ts'
import { pingRegularly, unanswered } from '../relay.ts'
import { BrokerLine } from './broker-line.ts'
import { toRefusal } from './refusal.ts'

/** The broker says itself when a target took too long. */
const answerTimeoutMs = longestConnectMs + 30_000

/** @throws BrokerError the refusal, with its reason and what to do */
export async function trySession(ask: BrokerAsk, client: TriedClient): Promise<void> {
  const signal = AbortSignal.timeout(answerTimeoutMs)
  const broker = await openBrokerSocket(ask, signal)
  const pings = pingRegularly(broker.socket)
  const line = new BrokerLine(broker)
  const giveUp = () => broker.stream.destroy(unanswered('did not answer in time'))
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    await signIn(line, client, ask.tool)
    broker.stream.end(encodePacket(0, quit))
  } finally {
    signal.removeEventListener('abort', giveUp)
    line.release()
    clearInterval(pings)
    broker.stream.on('error', () => {})
    broker.socket.close(1000)
  }
}

/** An error of the target itself is no refusal: the broker had let the client in. */
async function signIn(line: BrokerLine, client: TriedClient, tool: string): Promise<void> {
  const { sequence, payload } = await line.read()
  const refused = toRefusal(payload)
  if (refused) throw refused
  line.write({ sequence: sequence + 1, payload: encodeLogin(loginOf(decodeGreeting(payload), client, tool)) })
  const answer = toRefusal((await line.read()).payload)
  if (answer) throw answer
}

/** Without a password, which the broker does not ask for behind a websocket. */
function loginOf({ capabilities, charset }: Greeting, { user, database }: TriedClient, tool: string): Login {
  const unneeded = combine(capability.localFiles, capability.connectWithDatabase)
  return {
    capabilities: combine(
      without(intersect(capabilities, commonCapabilities), unneeded),
      database === '' ? 0 : capability.connectWithDatabase,
    ),
    maxPacketBytes: 0xff_ffff,
    charset,
    user,
    answer: Buffer.alloc(0),
    database,
    plugin: plugin.cachingSha2,
    attributes: [['program_name', tool]],
  }
}
