import type { Identity as Identified } from '../../proxy/doorman.ts'
import type { Identity } from './create-identity.ts'

/**
 * Fresh ID tokens of the person behind a credential. The login is found with the first one and kept: a connect token is erased once it
 * expires, and its sessions go on.
 */
export function idTokensOf(
  identity: Pick<Identity, 'idToken' | 'loginOf'>,
  credential: Identified['credential'],
): () => Promise<string> {
  let login: string | undefined
  return async () => {
    login ??= await identity.loginOf(credential)
    return await identity.idToken(login)
  }
}
