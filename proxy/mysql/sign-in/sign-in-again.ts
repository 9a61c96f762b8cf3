import type { Doorman } from '../../doorman.ts'
import { BrokerError } from '../../session.ts'
import { plugin } from '../../wire/mysql/auth.ts'
import type { ChangeUser } from '../../wire/mysql/change-user.ts'
import type { MysqlClient } from './client.ts'
import type { PacketLine } from './packet-line.ts'
import { acceptAny, signIn } from './sign-in.ts'

/**
 * Lets a client prove once more that it is who signed in, by a new scramble. Does not send the OK.
 * @throws BrokerError TOKEN_INVALID, GRANT_DENIED for another token than that of the session, and what `identify` throws
 * @throws WireError, ClientLeft
 */
export async function signInAgain(
  packets: PacketLine,
  { user, answer, plugin: named }: ChangeUser,
  { client, identity }: Pick<MysqlClient, 'client' | 'identity'>,
  doorman: Pick<Doorman, 'tokenKeys' | 'identify'>,
): Promise<void> {
  const isClear = named === plugin.clear
  // An answer to the scramble of the greeting is not used a second time.
  const presented = { login: { user, answer, plugin: isClear ? plugin.clear : '' }, scramble: Buffer.alloc(0) }
  if (client.via === 'websocket') return await acceptAny(packets, presented)
  const again = await signIn(packets, presented, client, { doorman })
  const { kind, id } = identity.credential
  if (again.credential.kind === kind && again.credential.id === id) return
  const hint = 'Connect again to use another token.'
  throw new BrokerError('GRANT_DENIED', 'the token is not the one that this session was opened with', { hint })
}
