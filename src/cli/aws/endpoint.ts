import { randomBytes } from 'node:crypto'
import { type CredentialEndpoint, openCredentialEndpoint } from '../../../proxy/local/aws/credential-endpoint.ts'
import type { ConnectDeps } from '../connect/open-connections.ts'
import { fetchCredentials, type RoleChoice, type RoleCredentials, SharedCredentials } from './role.ts'

export interface RoleEndpoint {
  readonly endpoint: CredentialEndpoint
  /** For `AWS_CONTAINER_AUTHORIZATION_TOKEN`. */
  readonly token: string
  readonly first: RoleCredentials
}

/**
 * Credentials of a role on loopback. The first are fetched at once, so that a denial is reported here and not by a tool later.
 * @throws BrokerError with the broker's reason
 */
export async function openRoleEndpoint(
  deps: ConnectDeps,
  choice: RoleChoice,
  options: { readonly port: number; readonly imds: boolean; onRefused(why: string): void },
): Promise<RoleEndpoint> {
  const shared = new SharedCredentials(async () => await fetchCredentials(await deps.openApi(), choice), deps.now)
  const first = await shared.get()
  const token = randomBytes(32).toString('base64url')
  const roleName = first.roleArn.slice(first.roleArn.lastIndexOf('/') + 1)
  const endpoint = await openCredentialEndpoint({
    get: () => shared.get(),
    token,
    imds: options.imds ? { roleName } : null,
    port: options.port,
    now: deps.now,
    onRefused: options.onRefused,
  })
  return { endpoint, token, first }
}
