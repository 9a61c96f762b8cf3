import { existsSync } from 'node:fs'
import path from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyPluginAsync } from 'fastify'
import { BrokerError } from '../../../../proxy/session.ts'
import { route } from '../../../identity/route.ts'
import { sendPage } from '../../pages/html.ts'
import { builtPage, readShell, sendShell, toSignIn } from '../../pages/shell.ts'
import { landing } from '../../pages/sign-in-pages.ts'
import { serveBrowsers } from '../login-browser.ts'

export interface UiRoutesDeps {
  /** `server.public_url` */
  readonly publicUrl: string
  /** What was built of the page; default: what the package has. */
  readonly folder?: string
}

/** What each signed-in browser gets the page for, which then shows what it may see. */
const screens = [
  'GET /catalog',
  'GET /requests',
  'GET /requests/:id',
  'GET /grants',
  'GET /grants/:id',
  'GET /sessions',
  'GET /sessions/:id',
  'GET /audit',
  'GET /people',
  'GET /sessions/:id/watch',
  'GET /recordings',
  'GET /recordings/:id',
  'GET /tokens',
  'GET /why',
  'GET /identity-center',
  'GET /rules',
  'GET /setup',
  'GET /terminal/:grant',
] as const

/** The page: its addresses, and the files that it is made of. */
export const uiRoutes =
  ({ publicUrl, folder = builtPage }: UiRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const assets = path.join(folder, 'assets')
    if (existsSync(assets))
      await app.register(fastifyStatic, {
        root: assets,
        serve: false, // by our own route, which says who may call it
        preCompressed: true,
        maxAge: '1y',
        immutable: true,
      })
    const shell = readShell(folder)
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
      for (const screen of screens)
        route(pages, screen, ({ login, request, reply }) =>
          login ? sendShell(reply, shell) : toSignIn(request, reply),
        )
      route(pages, 'GET /', ({ login, request, reply }) => {
        if (!login) return toSignIn(request, reply)
        return shell === undefined ? sendPage(reply, 'Sallyport', landing(login, publicUrl)) : sendShell(reply, shell)
      })
    })
  }

/** One file of the folder itself; the compressed ones are for `sendFile` to choose. */
const assetName = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.(?:js|css|svg)$/
