import { BrokerError } from '../../../proxy/session.ts'

/** The browser keeps it in a cookie while the person is at the provider. */
const longest = 1000

export function isReturnable(address: string): boolean {
  return address.length <= longest
}

/**
 * Where to go after a sign-in: a path of ours, with its query; `/` for none, or one that is too long. Parsed as browsers do,
 * then taken apart again, so that no form of `//host`, `/\host` or `/.//host` leads elsewhere.
 * @throws BrokerError INVALID_INPUT
 */
export function ownPath(asked: string | undefined, origin: string): string {
  if (asked === undefined || asked === '' || !isReturnable(asked)) return '/'
  const url = asked.startsWith('/') ? URL.parse(asked, origin) : null
  const path = url?.origin === origin ? `${url.pathname}${url.search}` : ''
  if (!path.startsWith('/') || path.startsWith('//'))
    throw new BrokerError('INVALID_INPUT', 'return_to must be a path of this server')
  return path
}
