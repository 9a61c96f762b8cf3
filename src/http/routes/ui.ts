import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import path from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import { route } from '../../identity/route.ts'
import { serveBrowsers } from './login-browser.ts'

/** In the HTML that vite.config.ts makes. */
const noncePlaceholder = 'SALLYPORT_NONCE'

/** What `npm run build` made of src/ui: the same folder for sources, for the built program and for a bundle of it. */
const builtPage = path.join(path.dirname(findPackageJSON(import.meta.url) ?? ''), 'dist/ui')

/** The page: its addresses, and the files that it is made of. */
export const uiRoutes: FastifyPluginAsync = async (app) => {
  const assets = path.join(builtPage, 'assets')
  if (existsSync(assets))
    await app.register(fastifyStatic, {
      root: assets,
      serve: false, // by our own route, which says who may call it
      preCompressed: true,
      maxAge: '1y',
      immutable: true,
    })
  const index = path.join(builtPage, 'index.html')
  const shell = existsSync(index) ? readFileSync(index, 'utf8') : undefined
  route(
    app,
    'GET /assets/*',
    async ({ params, reply }) => {
      const name = params['*']
      reply.header('cache-control', 'no-store') // of a refusal
      if (!assetName.test(name) || !existsSync(path.join(assets, name))) throw new BrokerError('NOT_FOUND')
      return reply.header('vary', 'accept-encoding').sendFile(name)
    },
    { rateLimit: false },
  )
  await app.register(async (pages) => {
    serveBrowsers(pages)
    route(pages, 'GET /terminal/:grant', async ({ params, login, reply }) => {
      const address = `/terminal/${params.grant}`
      return login ? sendShell(reply, shell) : toSignIn(reply, address)
    })
  })
}

/** One file of the folder itself; the compressed ones are for `sendFile` to choose. */
const assetName = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.(?:js|css|svg)$/

function toSignIn(reply: FastifyReply, address: string): FastifyReply {
  return reply
    .header('cache-control', 'no-store')
    .redirect(`/login?${new URLSearchParams({ return_to: address })}`, 303)
}

/** The document that loads the page. All of its styles and scripts are files of ours, or carry the nonce of this one answer. */
function sendShell(reply: FastifyReply, shell: string | undefined): FastifyReply {
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
