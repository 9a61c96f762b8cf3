import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  type CustomFetch,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  None,
} from 'openid-client'
import { isLoopback } from '../../../proxy/ports/loopback.ts'
import type { Config } from '../../config/config.ts'
import type { Clock } from '../../telemetry/clock.ts'
import { providerFailure } from './oidc-errors.ts'
import { keepingFetch } from './refresh.ts'

export interface ProviderDeps {
  readonly config: Pick<Config['oidc'], 'issuer' | 'clientId' | 'clientSecret'>
  readonly clock: Clock
  /**
   * Default: Node's own. A private CA is trusted as everywhere in Node, by `NODE_EXTRA_CA_CERTS`. It is called with
   * `redirect: 'manual'`: a redirect must not carry a secret or a code elsewhere.
   */
  readonly fetch?: CustomFetch
}

const timeoutS = 10
const attempts = 2
/** Providers change endpoints rarely; keys are fetched more often by openid-client itself. */
const keepMs = 12 * 3_600_000

/**
 * Returns what is known of the issuer. It is asked at first use, not at start, so that the daemon starts while the
 * provider is down; a failure is forgotten, so that the next sign-in tries again; callers at one time share one request.
 * @throws BrokerError PROVIDER_UNAVAILABLE, LOGIN_FAILED
 */
export function createDiscovery(deps: ProviderDeps): () => Promise<Configuration> {
  let known: { promise: Promise<Configuration>; at: number } | undefined
  return () => {
    if (known && deps.clock.now() - known.at < keepMs) return known.promise
    const entry = { promise: discover(deps, attempts), at: deps.clock.now() }
    known = entry
    entry.promise.catch(() => {
      if (known === entry) known = undefined
    })
    return entry.promise
  }
}

async function discover(deps: ProviderDeps, left: number): Promise<Configuration> {
  const { issuer, clientId, clientSecret } = deps.config
  const url = new URL(issuer)
  try {
    return await discovery(url, clientId, undefined, clientSecret === null ? None() : showSecret(clientSecret), {
      timeout: timeoutS,
      // Signatures are checked also where TLS to the token endpoint would do (OpenID Connect Core 3.1.3.7, 6).
      execute: [enableNonRepudiationChecks, ...(isLoopbackHttp(url) ? [allowInsecureRequests] : [])],
      [customFetch]: keepingFetch(deps.fetch ?? ((url, options) => fetch(url, options as RequestInit))),
    })
  } catch (error) {
    const failure = providerFailure(error, 'its discovery document')
    if (left > 1 && failure.code === 'PROVIDER_UNAVAILABLE') return discover(deps, left - 1)
    throw failure
  }
}

/** In the form that the provider announces: in the body, else by Basic, which is also the default (Discovery 1.0, section 3). */
function showSecret(secret: string): ClientAuth {
  const [post, basic] = [ClientSecretPost(secret), ClientSecretBasic(secret)]
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    const show = methods.includes('client_secret_post') ? post : basic
    return show(server, client, body, headers)
  }
}

/** Plain HTTP is for a provider on this very machine only; elsewhere openid-client refuses it. */
function isLoopbackHttp({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && isLoopback(hostname)
}
