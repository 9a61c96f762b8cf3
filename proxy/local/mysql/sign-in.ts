import type { PacketLine } from '../../mysql/sign-in/packet-line.ts'
import { longestLogin } from '../../mysql/sign-in/read-login.ts'
import { longestAnswer } from '../../mysql/sign-in/sign-in.ts'
import { toBrokerError } from '../../relay/words.ts'
import type { BrokerError } from '../../session.ts'
import { ClientLeft } from '../../streams/client-line.ts'
import { makeScramble, plugin, scrambleBytes } from '../../wire/mysql/auth.ts'
import { commonCapabilities, has, requiredCapabilities } from '../../wire/mysql/capabilities.ts'
import { encodeAuthSwitch, firstByte } from '../../wire/mysql/encode.ts'
import { decodeGreeting, decodeLogin, encodeGreeting, type LoginMessage } from '../../wire/mysql/handshake.ts'
import { PayloadReader } from '../../wire/mysql/payload-reader.ts'
import { WireError } from '../../wire/wire-error.ts'
import type { BrokerSocket } from '../broker-socket.ts'
import { BrokerLine, type Packet } from './broker-line.ts'
import { checkAnswer, type Verifier } from './password.ts'
import { toRefusal } from './refusal.ts'

type Login = Extract<LoginMessage, { readonly kind: 'login' }>

/**
 * Passes the greeting and the login on, as they are; the client's proof of the password is checked by the broker's own scramble
 * before the broker has it. What the broker answers then is left to the relay.
 * @returns the refusal that the client has been told already
 * @throws BrokerError TOKEN_INVALID, or the refusal in place of the greeting @throws WireError @throws ClientLeft
 */
export async function passSignIn(
  client: PacketLine,
  broker: BrokerSocket,
  verifier: Verifier | null,
): Promise<BrokerError | undefined> {
  const line = new BrokerLine(broker)
  try {
    return await exchange(client, line, verifier)
  } finally {
    line.release()
  }
}

async function exchange(
  client: PacketLine,
  broker: BrokerLine,
  verifier: Verifier | null,
): Promise<BrokerError | undefined> {
  const { payload: greeting } = await client.line.wait(broker.read())
  const refused = toRefusal(greeting)
  if (refused) throw refused
  const { scramble } = decodeGreeting(greeting)
  client.write(greeting)
  const { payload, login } = await readLogin(client)
  if (isFinal(login)) checkAnswer(login.answer, scramble, login.plugin, verifier)
  broker.write(payload)
  return isFinal(login) ? undefined : await askAgain(client, broker, verifier)
}

/** Clients that answered by another plugin are switched by the broker to the one of its greeting, with a new scramble. */
async function askAgain(
  client: PacketLine,
  broker: BrokerLine,
  verifier: Verifier | null,
): Promise<BrokerError | undefined> {
  const { payload } = await client.line.wait(broker.read())
  client.write(payload)
  if (payload[0] !== firstByte.eof) return toRefusal(payload)
  const reader = new PayloadReader(payload, 1)
  const asked = reader.cstring().toString('latin1')
  const scramble = reader.bytes(scrambleBytes)
  const sequence = client.sequence
  const answer = await client.read(longestAnswer)
  checkAnswer(answer, scramble, asked, verifier)
  broker.write({ sequence, payload: answer })
  return undefined
}

async function readLogin(client: PacketLine): Promise<{ readonly payload: Packet; readonly login: Login }> {
  const sequence = client.sequence
  const payload = await client.read(longestLogin)
  const login = decodeLogin(payload)
  if (login.kind === 'tls') throw new WireError('TLS was not offered')
  return { payload: { sequence, payload }, login }
}

/** Says all that the broker asks of it. */
function isFinal({ plugin: chosen }: Login): boolean {
  return chosen === plugin.cachingSha2 || chosen === plugin.clear
}

/** Never sent: only for the login that the error answers. */
const version = '8.0.40-sallyport'
const charset = 45

/**
 * Greets a client that is going to be refused, and reads its login. One that does not know the password is not told the reason.
 * @returns what it is to be told
 */
export async function greetToRefuse(
  client: PacketLine,
  error: BrokerError,
  verifier: Verifier | null,
): Promise<BrokerError> {
  try {
    const scramble = makeScramble()
    const greeting = { version, charset, threadId: 1, scramble, capabilities: commonCapabilities, status: 0 }
    client.write(encodeGreeting({ ...greeting, plugin: plugin.cachingSha2 }))
    const { login } = await readLogin(client)
    if (isFinal(login)) checkAnswer(login.answer, scramble, login.plugin, verifier)
    else if (has(login.capabilities, requiredCapabilities)) await checkSwitched(client, verifier)
    return error
  } catch (cause) {
    return cause instanceof ClientLeft ? error : toBrokerError(cause)
  }
}

async function checkSwitched(client: PacketLine, verifier: Verifier | null): Promise<void> {
  const scramble = makeScramble()
  client.write(encodeAuthSwitch(plugin.cachingSha2, scramble))
  checkAnswer(await client.read(longestAnswer), scramble, plugin.cachingSha2, verifier)
}
