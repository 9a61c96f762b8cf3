import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import path from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import { isReturnable } from '../routes/return-to.ts'

/** In the HTML that vite.config.ts makes. */
const noncePlaceholder = 'SALLYPORT_NONCE'

/** What `npm run build` made of src/ui: the same folder for sources, for the built program and for a bundle of it. */
export const builtPage = path.join(path.dirname(findPackageJSON(import.meta.url) ?? ''), 'dist/ui')

/** The document that loads the page, as it was built. @returns undefined where it was not */
export function readShell(folder: string): string | undefined {
  const index = path.join(folder, 'index.html')
  return existsSync(index) ? readFileSync(index, 'utf8') : undefined
}

/** Sends a browser that is not signed in to do so, and then back to where it was going, if that is not too long. */
export function toSignIn({ url }: FastifyRequest, reply: FastifyReply): FastifyReply {
  const address = isReturnable(url) ? url : '/'
  return reply
    .header('cache-control', 'no-store')
    .redirect(`/login?${new URLSearchParams({ return_to: address })}`, 303)
}

/** The document that loads the page. All of its styles and scripts are files of ours, or carry the nonce of this one answer. */
export function sendShell(reply: FastifyReply, shell: string | undefined): FastifyReply {
  if (shell === undefined)
    throw new BrokerError('NOT_FOUND', 'the web page was not built', { hint: 'run: npm run build' })
  const nonce = randomBytes(18).toString('base64')
  return reply
    .header('content-security-policy', policyWith(nonce))
    .header('referrer-policy', 'same-origin')
    .header('cache-control', 'no-store')
    .type('text/html; charset=utf-8')
    .send(shell.replaceAll(noncePlaceholder, nonce))
}

function policyWith(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types default',
  ].join('; ')
}
