import type { ClientSettings } from '../../../proxy/local/client-settings.ts'
import { localProtocolNamed } from '../../../proxy/local/protocols.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { IssuedConnectToken } from '../../contract/tokens.ts'
import { exitCodes, printJson, when } from '../output.ts'
import type { ConnectOptions } from './connect-options.ts'
import { type ConnectDeps, databaseOf } from './open-connections.ts'
import { checkOptions, connectable } from './protocol-options.ts'
import { chooseTarget, listResources } from './target.ts'

export type TokenOptions = Pick<ConnectOptions, 'level' | 'for' | 'cidr' | 'database' | 'json' | 'print'>

/** `sallyport connect RESOURCE --token`: a password for stock clients, without any Sallyport software on the client. */
export async function issueToken(deps: ConnectDeps, reference: string, options: TokenOptions): Promise<number> {
  const api = await deps.openApi()
  const target = chooseTarget(await listResources(api), reference, options.level, connectable)
  const { settings: formats } = localProtocolNamed(target.protocol)
  checkOptions(target, options)
  const issued = await api.call('POST /api/v1/connect-tokens', {
    body: { resource: target.id, level: target.level, durationMs: options.for, cidr: options.cidr },
  })
  const { token, user, host, port } = issued
  if (host === null || port === null) {
    await api.call('DELETE /api/v1/connect-tokens/:id', { params: { id: issued.id } })
    throw new BrokerError('UNSUPPORTED', `the broker has no public port for ${target.id}`, {
      hint: `use: sallyport connect ${reference}`,
    })
  }
  // A machine that trusts the broker's CA this way needs its clients to trust it too.
  const ca = deps.env.NODE_EXTRA_CA_CERTS
  const settings: ClientSettings = {
    name: target.name,
    host,
    port,
    database: options.database ?? databaseOf(target),
    user,
    password: token,
    sslmode: 'verify-full',
    ...(ca ? { sslrootcert: ca } : {}),
  }
  if (options.json) {
    const { name: _, ...how } = settings
    printJson({ ...issued, resource: issued.resourceId, ...how })
    return exitCodes.done
  }
  process.stdout.write(`${formats.format(settings, options.print ?? formats.forms[0])}\n`)
  process.stderr.write(`${guidance(issued, formats.trustNote(ca))}\n`)
  return exitCodes.done
}

function guidance({ id, expiresAt }: IssuedConnectToken, trust: string): string {
  return `The token is valid until ${when(expiresAt)} or until the grant ends; it will not be shown again.
Revoke it earlier with: sallyport tokens revoke t_${id}
TLS: ${trust}.`
}
