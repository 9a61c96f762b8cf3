import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createCookieJar } from '../sandbox/cookie-jar.ts'
import { readForms } from '../sandbox/forms.ts'
import { createPerson } from '../sandbox/person.ts'

async function site(t: Test, handle: (request: IncomingMessage, response: ServerResponse, body: string) => void) {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk
    })
    request.on('end', () => handle(request, response, body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const html = (response: ServerResponse, body: string, headers: Record<string, string> = {}) =>
  response.writeHead(200, { 'content-type': 'text/html', ...headers }).end(body)

t.test('forms are read with entities, quotes of either kind, and all their buttons', async (t) => {
  const forms = readForms(`
    <form method="POST" action='/a?x=1&amp;y=2'><input type=hidden name=csrf value="a&quot;b&#x27;c">
      <input name="code"><input type="radio" name="r" value="1"><input type="radio" name="r" value="2" checked>
      <button name="go" value="yes"><b>Allow</b></button><input type="submit" name="no" value="Deny"></form>
    <form><button>Search</button></form>`)
  t.match(forms, [
    {
      method: 'post',
      action: '/a?x=1&y=2',
      fields: [
        { name: 'csrf', type: 'hidden', value: `a"b'c` },
        { name: 'code', type: 'text', value: '' },
        { name: 'r', value: '1', checked: false },
        { name: 'r', value: '2', checked: true },
      ],
      buttons: [
        { name: 'go', value: 'yes', label: 'Allow' },
        { name: 'no', value: 'Deny', label: 'Deny' },
      ],
    },
    { method: 'get', fields: [], buttons: [{ label: 'Search' }] },
  ])
})

t.test('a person confirms with the button that says yes, and sends Origin and cookies', async (t) => {
  const seen: object[] = []
  const url = await site(t, (request, response, body) => {
    if (request.method === 'POST') {
      seen.push({ body, origin: request.headers.origin, cookie: request.headers.cookie })
      response.writeHead(303, { location: '/done' }).end()
    } else if (request.url === '/done') html(response, 'done')
    else {
      const no = '<form method="post" action="/no"><button>Cancel</button></form>'
      const yes =
        '<form method="post" action="/yes"><input name="code"><button name="ok" value="1">Confirm</button></form>'
      html(response, no + yes, { 'set-cookie': 'sid=1; Path=/; HttpOnly' })
    }
  })
  const page = await createPerson('alice').signIn(url, { code: 'ABCD-1234' })
  t.equal(page.url, `${url}/done`)
  t.strictSame(seen, [{ body: 'code=ABCD-1234&ok=1', origin: url, cookie: 'sid=1' }])
  await t.rejects(createPerson('alice').signIn(url), /the page asks for "code"/)
})

t.test('form-action holds for the redirects of a submitted form, as in Chromium', async (t) => {
  const elsewhere = await site(t, (_, response) => html(response, 'callback'))
  let policy = ''
  const url = await site(t, (request, response) => {
    if (request.method === 'POST') response.writeHead(303, { location: `${elsewhere}/callback` }).end()
    else html(response, '<form method="post"><button>Go</button></form>', { 'content-security-policy': policy })
  })
  const go = (value: string) => {
    policy = value
    return createPerson('alice').signIn(url)
  }
  t.equal((await go("default-src 'none'")).body, 'callback', 'default-src says nothing of forms')
  t.equal((await go("form-action 'self' http://127.0.0.1:*")).body, 'callback')
  t.equal((await go(`form-action 'self' ${elsewhere}`)).body, 'callback')
  await t.rejects(go("form-action 'self'; base-uri 'none'"), /a browser would refuse to send the form/)
  await t.rejects(go("form-action 'none'"), /a browser would refuse/)
})

t.test('cookies are kept by host, path and name, and deleted when they expire', async (t) => {
  const jar = createCookieJar()
  const at = (path: string, port = 1) => new URL(`http://127.0.0.1:${port}${path}`)
  jar.keep(at('/'), ['a=1; Path=/', 'b=2; Path=/in', 'b=3; Path=/in/deep; HttpOnly'])
  t.equal(jar.header(at('/')), 'a=1')
  t.equal(jar.header(at('/in/deep/er', 2)), 'b=3; b=2; a=1', 'ports share')
  t.equal(jar.header(at('/inside')), 'a=1')
  t.equal(jar.header(new URL('http://localhost/in')), '')
  jar.keep(at('/'), ['a=; Path=/; Max-Age=0', 'b=; Path=/in; Expires=Thu, 01 Jan 1970 00:00:00 GMT'])
  t.equal(jar.header(at('/in/deep')), 'b=3')
})

t.test('no end of redirects is an error', async (t) => {
  const url = await site(t, (_, response) => response.writeHead(302, { location: '/again' }).end())
  await t.rejects(createPerson('alice').open(url), /more than 20 redirects/)
})
