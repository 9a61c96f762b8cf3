import type { SessionPermit } from '../../session.ts'
import { capability, combine, commonCapabilities, has, without } from '../../wire/mysql/capabilities.ts'
import type { Greeting, Login } from '../../wire/mysql/handshake.ts'
import type { MysqlRules } from '../rules.ts'
import type { MysqlClient } from '../sign-in/client.ts'

type LoginParts = Omit<Login, 'user' | 'answer' | 'plugin'>

/** Of 64 KB; servers keep 512 bytes, unless their configuration says otherwise. */
const mostAttributeBytes = 8192
/** utf8mb4_general_ci */
const charsetOfAny = 45
const charsetUnknownToMariadb = 255

export const sessionAttribute = '_sallyport_session'

/** Login of the upstream session: what the client asked for, as far as it may, with our attributes before its own. */
export function upstreamLogin(
  client: Pick<MysqlClient, 'capabilities' | 'maxPacketBytes' | 'charset' | 'attributes'>,
  permit: Pick<SessionPermit, 'sessionId' | 'principalName' | 'grantId'>,
  database: string,
  { localInfile }: Pick<MysqlRules, 'localInfile'>,
): (server: Greeting) => LoginParts {
  const own = [
    [sessionAttribute, permit.sessionId],
    ['_sallyport_person', permit.principalName],
    ['_sallyport_grant', permit.grantId],
  ] as const
  const attributes = withinBounds([...own, ...client.attributes.filter(([name]) => !name.startsWith('_sallyport_'))])
  const forbidden = combine(capability.tls, capability.connectWithDatabase, localInfile ? 0 : capability.localFiles)
  const capabilities = combine(
    without(client.capabilities, forbidden),
    capability.connectAttributes,
    capability.lengthEncodedAuth,
    database === '' ? 0 : capability.connectWithDatabase,
  )
  return (server) => ({
    capabilities,
    maxPacketBytes: client.maxPacketBytes,
    charset: charsetFor(client.charset, server),
    attributes,
    ...(database === '' ? {} : { database }),
  })
}

/** Of the second connection, which cancels or ends what a session runs. */
export function endingLogin(sessionId: string): () => LoginParts {
  const unneeded = combine(
    capability.connectWithDatabase,
    capability.localFiles,
    capability.multiStatements,
    capability.sessionTrack,
    capability.interactive,
  )
  return () => ({
    capabilities: without(commonCapabilities, unneeded),
    maxPacketBytes: 65_536,
    charset: charsetOfAny,
    attributes: [
      ['program_name', 'sallyport'],
      ['_sallyport_ends', sessionId],
    ],
  })
}

/** MySQL 8's default has a number that MariaDB does not know. */
export function charsetFor(charset: number, { version, capabilities }: Greeting): number {
  const isMariadb = version.includes('MariaDB') || !has(capabilities, capability.longPassword)
  return isMariadb && charset === charsetUnknownToMariadb ? charsetOfAny : charset
}

/** The first ones that fit. Names and values are other people's text: NUL and the like are harmless inside lengths. */
function withinBounds(attributes: readonly (readonly [string, string])[]): [string, string][] {
  const kept: [string, string][] = []
  let bytes = 0
  for (const [name, value] of attributes) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 6
    if (bytes > mostAttributeBytes) break
    kept.push([name, value])
  }
  return kept
}
