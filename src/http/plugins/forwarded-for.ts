import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import fp from 'fastify-plugin'
import { withoutMapping } from '../../../proxy/ports/source-address.ts'

/** Makes plain addresses of X-Forwarded-For, before anything asks for the address of a client. */
export const forwardedFor = fp(async (app) => {
  app.addHook('onRequest', async ({ raw }) => plainForwardedFor(raw))
})

export function plainForwardedFor({ headers }: Pick<IncomingMessage, 'headers'>): void {
  const given = headers['x-forwarded-for']
  if (typeof given === 'string') headers['x-forwarded-for'] = given.split(',').map(toAddress).join(', ')
}

/**
 * Some proxies add the port: `203.0.113.7:51234`, `[2001:db8::1]:443`. What is no address is `unknown`, as RFC 7239 has it: it is in no
 * range, so that only credentials that work from anywhere work from there.
 */
export function toAddress(entry: string): string {
  const text = entry.trim()
  const address = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text
  return isIP(address) === 0 ? 'unknown' : withoutMapping(address)
}
