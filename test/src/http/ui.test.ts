/** The page as the daemon serves it. `npm test` builds it first. */
import { readdirSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { uiRoutes } from '../../../src/http/routes/page/ui.ts'
import type { IdentityService } from '../../../src/identity/identity.ts'
import { startListeningApp } from './listening-app.ts'

const grant = `grt_${'0'.repeat(26)}`
const someone = { principal: { id: 'prn_1' }, roles: ['user'], via: 'web', interactive: true, scopes: null, cidr: null }
const identity = {
  authenticate: async ({ cookie }: { cookie?: string }) => (cookie ? someone : null),
} as unknown as IdentityService

const publicUrl = 'https://access.example.com'
const start = (t: Test) => startListeningApp(t, { identity, routes: [uiRoutes({ publicUrl })] })

interface Got {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** The path as it is: nothing takes `..` out of it. */
async function get(port: number, path: string, headers: http.OutgoingHttpHeaders = {}): Promise<Got> {
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    http.get({ host: '127.0.0.1', port, path, headers, agent: false }, resolve).on('error', reject),
  )
  return { status: response.statusCode ?? 0, headers: response.headers, body: await buffer(response) }
}

const signedIn = { cookie: 'sallyport=x' }

t.test('without a sign-in a terminal leads there and back', async (t) => {
  const { port } = await start(t)
  const { status, headers } = await get(port, `/terminal/${grant}`)
  t.match(
    { status, headers },
    {
      status: 303,
      headers: { location: `/login?return_to=%2Fterminal%2F${grant}`, 'cache-control': 'no-store' },
    },
  )
})

t.test(
  'every address of the page: signed out, to the sign-in and back with the query; signed in, the document',
  async (t) => {
    const { port } = await start(t)
    const id = '0'.repeat(26)
    const addresses = [
      ...['/', '/?a=1', '/catalog?q=orders%20db&held=true', '/requests?box=mine', `/requests/req_${id}`, '/grants'],
      ...[`/grants/grt_${id}`, '/sessions', `/sessions/ses_${id}`, '/audit?type=a&type=b', `/terminal/${grant}`],
    ]
    for (const address of addresses) {
      const { status, headers } = await get(port, address)
      const location = new URL(String(headers.location), 'http://x')
      t.same([status, headers['cache-control'], location.pathname], [303, 'no-store', '/login'], address)
      t.same([...location.searchParams], [['return_to', address]])
      t.match(await get(port, address, signedIn), { status: 200, headers: { 'content-type': /^text\/html/ } }, address)
    }
    const long = `/catalog?q=${'a'.repeat(989)}`
    t.equal((await get(port, long)).headers.location, `/login?${new URLSearchParams({ return_to: long })}`)
    t.equal((await get(port, `${long}b`)).headers.location, '/login?return_to=%2F', 'too long to come back to')
  },
)

t.test('any other address is none of the page', async (t) => {
  const { port } = await start(t)
  for (const address of ['/catalog/', '/catalog/x', '/Catalog', '/requests/req_1/x', '/persons', '/index.html', '//']) {
    const { status, headers } = await get(port, address, signedIn)
    t.equal(status, 404, address)
    t.match(headers['content-type'], /^application\/problem\+json/, address)
  }
})

t.test('the document: a policy that allows files of ours alone, and a nonce of its own', async (t) => {
  const { port } = await start(t)
  const nonces = new Set<string>()
  for (const _ of [1, 2]) {
    const { status, headers, body } = await get(port, `/terminal/${grant}`, signedIn)
    t.match(
      { status, headers },
      { status: 200, headers: { 'cache-control': 'no-store', 'referrer-policy': 'same-origin' } },
    )
    const policy = String(headers['content-security-policy'])
    const nonce = /'nonce-([A-Za-z0-9+/]{24})'/.exec(policy)?.[1] ?? ''
    nonces.add(nonce)
    t.equal(
      policy,
      `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default`,
    )
    const html = body.toString()
    t.match(html, `nonce="${nonce}"`)
    t.notMatch(html, 'SALLYPORT_NONCE')
    t.notMatch(html, /<script(?![^>]* src=)|<style|style=|https?:/, 'nothing inline, nothing from elsewhere')
  }
  t.equal(nonces.size, 2)
})

t.test('an address that no grant can have is a page that says so', async (t) => {
  const { port } = await start(t)
  const { status, headers } = await get(port, '/terminal/nothing', signedIn)
  t.match({ status, headers }, { status: 400, headers: { 'content-type': /^text\/html/ } })
})

t.test('files: for a year, compressed as the browser asks', async (t) => {
  const { port } = await start(t)
  const html = (await get(port, `/terminal/${grant}`, signedIn)).body.toString()
  const names = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, name = '']) => name)
  t.ok(names.length >= 3, names.join(', '))
  for (const name of names) {
    const plain = await get(port, name)
    t.match(plain, { status: 200, headers: { 'cache-control': 'public, max-age=31536000, immutable' } }, name)
    t.match(plain.headers['content-type'], /^(?:(?:text|application)\/javascript|text\/css|image\/svg\+xml)/)
    t.equal(plain.headers['x-content-type-options'], 'nosniff')
    const brotli = await get(port, name, { 'accept-encoding': 'gzip, br' })
    t.equal(brotli.headers['content-encoding'], 'br')
    t.match(brotli.headers.vary, /accept-encoding/i)
    t.same(brotliDecompressSync(brotli.body), plain.body)
    const zipped = await get(port, name, { 'accept-encoding': 'gzip' })
    t.equal(zipped.headers['content-encoding'], 'gzip')
    t.same(gunzipSync(zipped.body), plain.body)
  }
})

t.test('no path leads out of the folder, and nothing is remembered of what is not there', async (t) => {
  const { port } = await start(t)
  const [name = ''] = readdirSync(new URL('../../../dist/ui/assets/', import.meta.url))
  for (const path of [
    'nothing.js',
    '../index.html',
    '..%2findex.html',
    '%2e%2e/index.html',
    '..%5cindex.html',
    '....//index.html',
    '.%2f..%2findex.html',
    '%00',
    `${name}%00.js`,
    `./${name}`,
    `x/../${name}`,
    '/etc/passwd',
    '%2fetc%2fpasswd',
    '',
  ]) {
    const { status, headers, body } = await get(port, `/assets/${path}`)
    t.ok(status >= 400 && status < 500, `${path}: ${status}`)
    t.not(headers['cache-control'], 'public, max-age=31536000, immutable', path)
    t.notMatch(body.toString(), /<html|root:/, path)
  }
  t.equal((await get(port, '/assets/nothing.js')).headers['cache-control'], 'no-store')
})
