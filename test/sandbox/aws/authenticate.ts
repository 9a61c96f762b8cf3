import { AwsFault } from './aws-fault.ts'
import type { Caller, Callers } from './callers.ts'
import { checkScope, checkSignature, type Signature, type SignedRequest } from './sigv4.ts'

/**
 * Who signed this request: scope, time, key, session token, signature, in that order.
 * @throws AwsFault SignatureDoesNotMatch, IncompleteSignature, InvalidClientTokenId, ExpiredToken
 */
export function authenticate(
  request: SignedRequest,
  signature: Signature,
  expected: { service: string; regions: readonly string[] },
  callers: Callers,
  now: number,
): Caller {
  checkScope(signature, expected, now)
  const caller = callers.find(signature.accessKeyId)
  if (!caller) throw invalidToken('the access key is unknown')
  if (signature.token !== (caller.session?.token ?? null)) throw invalidToken('the session token is not this key’s')
  checkSignature(request, signature, caller.secretAccessKey)
  if (caller.session && now >= caller.session.expiresAt)
    throw new AwsFault('ExpiredToken', 403, 'The security token included in the request is expired')
  return { ...caller, region: signature.region }
}

function invalidToken(reason: string): AwsFault {
  return new AwsFault('InvalidClientTokenId', 403, 'The security token included in the request is invalid.', reason)
}
