/** The client's first packets, which are untrusted. */
import { BrokerError } from '../../session.ts'
import { capability, has, intersect, requiredCapabilities } from '../../wire/mysql/capabilities.ts'
import { decodeLogin, type Login, type LoginMessage } from '../../wire/mysql/handshake.ts'
import { MysqlRefusal } from '../mysql-refusal.ts'
import type { MysqlClient } from './client.ts'
import type { PacketLine } from './packet-line.ts'

/** Attributes take 64 KB at most, and everything else together less than 1 KB. */
export const longestLogin = 66_560
const longestTool = 128
/** As the servers have it for names of databases, in characters; users of other systems have longer names. */
const longestName = 256

/** @throws WireError, BrokerError PROTOCOL_ERROR */
export async function readLogin(packets: PacketLine): Promise<LoginMessage> {
  return decodeLogin(await packets.read(longestLogin))
}

/**
 * @param offered by the greeting; clients also claim what was not
 * @throws BrokerError UNSUPPORTED, PROTOCOL_ERROR
 */
export function checkLogin(login: Login, offered: number): Login {
  if (!has(login.capabilities, requiredCapabilities)) {
    const hint = 'Use a client that speaks to MySQL 5.7 or later.'
    // ER_NOT_SUPPORTED_AUTH_MODE
    throw new MysqlRefusal('UNSUPPORTED', { number: 1251, state: '08004' }, 'clients without authentication plugins', {
      hint,
    })
  }
  if (login.user.length > longestName || (login.database?.length ?? 0) > longestName)
    throw new BrokerError('PROTOCOL_ERROR', 'the name of the user or of the database is too long')
  return { ...login, capabilities: intersect(login.capabilities, offered) }
}

/** What the login alone tells about a client. */
export function requestOf({
  capabilities,
  maxPacketBytes,
  charset,
  user,
  database,
  attributes,
}: Login): Pick<
  MysqlClient,
  'capabilities' | 'maxPacketBytes' | 'charset' | 'user' | 'database' | 'attributes' | 'tool'
> {
  const tool = toolOf(attributes)
  return {
    capabilities,
    maxPacketBytes,
    charset,
    user,
    attributes: has(capabilities, capability.connectAttributes) ? attributes : [],
    ...(database === undefined ? {} : { database }),
    ...(tool ? { tool } : {}),
  }
}

/** The program's name, or that of its library. Cut between characters, so that none is split. */
function toolOf(attributes: Login['attributes']): string | undefined {
  const named = (wanted: string) => attributes.find(([name, value]) => name === wanted && value !== '')?.[1]
  const tool = named('program_name') ?? named('_client_name')
  return tool === undefined || tool.length <= longestTool ? tool : [...tool].slice(0, longestTool).join('')
}
