/**
 * How a client of the protocol port presents a connect token, inside TLS and without an option of its own (MySQL
 * documentation, "Caching_sha2_authentication"): by the fast path when its user name is `t_<token id>`, so that the token is not
 * sent; under any other name, or from a client that chose mysql_clear_password, as the password itself.
 */
import type { Doorman, Identity } from '../../doorman.ts'
import { BrokerError, type ClientOrigin } from '../../session.ts'
import { decodeClearPassword, makeScramble, plugin, provesPassword } from '../../wire/mysql/auth.ts'
import { encodeAuthSwitch, encodeFastPath, fastPath } from '../../wire/mysql/encode.ts'
import type { Login } from '../../wire/mysql/handshake.ts'
import type { PacketLine } from './packet-line.ts'

const tokenUser = /^t_([A-Za-z0-9_-]{1,62})$/
/** Longer than any token. */
export const longestAnswer = 10_000

export interface SignInDeps {
  readonly doorman: Pick<Doorman, 'tokenKeys' | 'identify'>
}

/** What the client has said by its login, and to which scramble. */
export interface Presented {
  readonly login: Pick<Login, 'user' | 'plugin' | 'answer'>
  readonly scramble: Buffer
}

/**
 * Checks the token. Does not send the OK.
 * @throws BrokerError TOKEN_INVALID, with the same text whatever was wrong, and what `identify` throws
 * @throws WireError
 */
export async function signIn(
  packets: PacketLine,
  presented: Presented,
  client: ClientOrigin,
  deps: SignInDeps,
): Promise<Identity> {
  try {
    return await identify(packets, presented, client, deps)
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'TOKEN_INVALID') throw tokenInvalid(error)
    throw error
  }
}

async function identify(
  packets: PacketLine,
  presented: Presented,
  client: ClientOrigin,
  { doorman }: SignInDeps,
): Promise<Identity> {
  const { login } = presented
  const byToken = (payload: Buffer) =>
    packets.line.wait(doorman.identify({ by: 'token', token: decodeClearPassword(payload) }, client))
  if (login.plugin === plugin.clear) return byToken(login.answer)
  const { scramble, answer } = await switched(packets, presented)
  if (isNoPassword(answer)) throw tokenInvalid()
  const [, tokenId] = tokenUser.exec(login.user) ?? []
  if (tokenId === undefined) {
    packets.write(encodeFastPath(fastPath.fullAuthentication))
    return byToken(await packets.read(longestAnswer))
  }
  const { doubleSha256 } = await packets.line.wait(doorman.tokenKeys(tokenId))
  if (!provesPassword(answer, scramble, doubleSha256)) throw tokenInvalid()
  // before the client hears that its proof was good: a revoked token must look like a wrong one
  const identity = await packets.line.wait(doorman.identify({ by: 'proof', tokenId }, client))
  packets.write(encodeFastPath(fastPath.done))
  return identity
}

/**
 * Goes through the exchange with a client whose bytes are trusted already: whatever password it has is right. The local proxy
 * has checked it, by this very scramble.
 * @throws WireError
 */
export async function acceptAny(packets: PacketLine, presented: Presented): Promise<void> {
  if (presented.login.plugin === plugin.clear) return
  const { answer } = await switched(packets, presented)
  if (!isNoPassword(answer)) packets.write(encodeFastPath(fastPath.done))
}

/** Some clients answer by the plugin that they prefer, whatever the greeting named: they are asked again, with a new scramble. */
async function switched(
  packets: PacketLine,
  { login, scramble }: Presented,
): Promise<{ readonly scramble: Buffer; readonly answer: Buffer }> {
  if (login.plugin === plugin.cachingSha2) return { scramble, answer: login.answer }
  const fresh = makeScramble()
  packets.write(encodeAuthSwitch(plugin.cachingSha2, fresh))
  return { scramble: fresh, answer: await packets.read(longestAnswer) }
}

/** Nothing, or an empty string: such a client expects no further question. */
function isNoPassword(answer: Buffer): boolean {
  return answer.length === 0 || (answer.length === 1 && answer[0] === 0)
}

function tokenInvalid(cause?: Error): BrokerError {
  const hint = 'Get a new token with: sallyport connect RESOURCE --token'
  return new BrokerError('TOKEN_INVALID', undefined, { hint, cause })
}
