import type { Identity } from '../../proxy/doorman.ts'
import { BrokerError } from '../../proxy/session.ts'
import type { Login } from './principal.ts'

/** For handlers of routes that require a sign-in. */
export function requireLogin(request: { readonly login: Login | null }): Login {
  if (!request.login) throw new BrokerError('LOGIN_REQUIRED')
  return request.login
}

/** Whose session it is, and what ends it. */
export function toIdentity(login: Login): Identity {
  const { id, name } = login.principal
  return {
    principalId: id,
    name,
    credential: { kind: login.via === 'api-token' ? 'api-token' : 'login', id: login.id },
  }
}
