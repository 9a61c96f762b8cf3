/** Requests that read, past Node's parser: what is theirs alone. All else is in `*.early.test.ts`. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { prefix, startHouse } from './endpoint-house.ts'

const pods = '/api/v1/namespaces/shop/pods'
const json = { 'content-type': 'application/json' }

const request = (method: string, path: string, ...lines: string[]) =>
  [`${method} ${prefix}${path} HTTP/1.1`, 'Host: broker', 'Authorization: Bearer spt_token', ...lines, '', ''].join(
    '\r\n',
  )
const get = (path = pods, ...lines: string[]) => request('GET', path, ...lines)

/** A client that says what a test writes, on one connection. */
async function startClient(t: Test, port: number) {
  const socket = connect({ host: '127.0.0.1', port }).on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const client = { got: '', isClosed: false, socket, say: (text: string) => void socket.write(text, 'latin1') }
  socket.on('data', (chunk: Buffer) => {
    client.got += chunk.toString('latin1')
  })
  socket.on('close', () => {
    client.isClosed = true
  })
  const statuses = () => client.got.match(/(?<=HTTP\/1\.1 )\d+/g) ?? []
  const answers = async (count: number) => {
    await waitUntil(
      () => statuses().length >= count,
      () => client.got,
    )
    return statuses()
  }
  return Object.assign(client, { answers })
}

async function start(t: Test, options: Parameters<typeof startHouse>[1] = {}) {
  const house = await startHouse(t, { isEarly: true, ...options })
  return { ...house, client: await startClient(t, house.port) }
}

t.test('many on one connection: Node parses none, and each is recorded', async (t) => {
  const { client, parsed, asked, connections, seen } = await start(t)
  for (let count = 1; count <= 5; count += 1) {
    client.say(get(`${pods}/web-${count}`, `X-Count: ${count}`))
    t.equal((await client.answers(count)).length, count)
  }
  t.same(await client.answers(5), ['200', '200', '200', '200', '200'])
  t.match(client.got, /\r\nconnection: keep-alive\r\nkeep-alive: timeout=72\r\n/)
  t.equal(parsed(), 0)
  t.equal(connections(), 1, 'the connection to the cluster is kept')
  t.equal(asked.length, 5)
  t.equal(seen.entries.filter(({ type }) => type === 'request').length, 5)
  t.equal(seen.entries.filter(({ type, status }) => type === 'response' && status === 200).length, 5)
  t.equal(seen.asks.length, 1, 'in one session')
})

t.test('what is in one chunk, or comes before the answer, is answered in its order', async (t) => {
  const { client, asked, parsed } = await start(t)
  client.say(get(`${pods}/a`) + get(`${pods}/b`) + get(`${pods}/c`))
  client.say(get(`${pods}/d`))
  await client.answers(4)
  t.same(
    asked.map(({ url }) => url.at(-1)),
    ['a', 'b', 'c', 'd'],
  )
  t.equal(parsed(), 0)
})

for (const [what, text] of Object.entries({
  'one that changes something': `${request('POST', '/api/v1/namespaces/shop/configmaps', 'Content-Length: 2')}{}`,
  'one with another path': 'GET /other HTTP/1.1\r\nHost: broker\r\n\r\n',
  'a GET that streams': get(`${pods}/web-1/exec?command=ls`),
  'one that closes the connection': get(pods, 'Connection: close'),
  'one without a token': `GET ${prefix}${pods} HTTP/1.1\r\nHost: broker\r\n\r\n`,
  'one that acts as another': get(pods, 'Impersonate-User: bob'),
}))
  t.test(`another parser gets the connection with the first that is not for here: ${what}`, async (t) => {
    const {
      client: { say, answers },
      parsed,
      asked,
    } = await start(t)
    say(get())
    await answers(1)
    t.equal(parsed(), 0)
    say(text)
    await answers(2)
    t.equal(parsed(), 1)
    const before = asked.length
    say(get(`${pods}/after`))
    if (!text.includes('close')) {
      await answers(3)
      t.equal(asked.length, before + 1, 'and keeps it')
    }
  })

t.test('it gets what is behind a request in the same chunk, too, and a head in pieces', async (t) => {
  const { client, parsed, asked } = await start(t)
  client.say(`${get(`${pods}/a`)}${request('POST', pods, 'Content-Length: 2')}{}${get(`${pods}/b`)}`)
  await client.answers(3)
  t.same(
    asked.map(({ method, url }) => `${method} ${url.slice(pods.length)}`),
    ['GET /a', 'POST ', 'GET /b'],
  )
  t.equal(parsed(), 1)
  const other = await start(t)
  const text = get(`${pods}/c`)
  other.client.say(text.slice(0, 60))
  await waitUntil(() => other.parsed() === 1)
  other.client.say(text.slice(60))
  await other.client.answers(1)
  t.equal(other.asked.length, 1)
})

t.test('a client that sends far more than it is answered, or reads nothing: it is read no further', async (t) => {
  const { client, control, clients } = await start(t)
  control.refusal = new BrokerError('TOKEN_INVALID')
  client.say(get())
  await client.answers(1)
  client.socket.pause()
  client.say(get().repeat(20_000))
  const [socket] = clients
  if (!socket) throw new Error('no client came')
  let before = -1
  while (socket.bytesRead > before) {
    before = socket.bytesRead
    await quietFor(300, 'it must not go on')
  }
  const { bytesRead, bytesWritten, writableLength } = socket
  t.ok(writableLength < 200_000, `${writableLength} bytes of answers wait`)
  const answered = (bytesWritten / client.got.length) * get().length
  t.ok(bytesRead - answered < 500_000, `${bytesRead} bytes were read, for ${answered} of requests that were answered`)
  client.socket.resume()
  await waitUntil(() => client.got.length > 2_000_000)
})

t.test('what the level does not allow is refused in words, recorded, and the next is served', async (t) => {
  const rules = { rules: [{ verbs: ['get'], groups: [''], resources: ['pods'], namespaces: ['shop'], names: null }] }
  const engine = { rules: { ...rules, idleTimeoutMs: 0, recordsInput: false, detail: {} } }
  const { client, asked, seen, parsed } = await start(t, { engine })
  client.say(get('/api/v1/secrets'))
  t.same(await client.answers(1), ['403'])
  t.match(client.got, /Sallyport: .*the access level \\"readonly\\" does not allow it: it needs \\"list\\" on secrets/)
  client.say(request('HEAD', '/api/v1/secrets'))
  await client.answers(2)
  t.ok(client.got.endsWith('\r\n\r\n'), 'an answer to HEAD has no body')
  client.say(get(`${pods}/web-1`))
  t.same(await client.answers(3), ['403', '403', '200'])
  t.equal(asked.length, 1)
  t.match(seen.entries, [{ type: 'request', refused: /it needs/ }, { refused: /it needs/ }, { type: 'request' }, {}])
  t.equal(parsed(), 0)
})

t.test('a session that is cut: the connection asks for another, which its token no longer opens', async (t) => {
  const { client, cut, control, asked, parsed } = await start(t)
  client.say(get())
  await client.answers(1)
  await cut()
  control.refusal = new BrokerError('GRANT_EXPIRED')
  client.say(get())
  t.same(await client.answers(2), ['200', '403'])
  t.match(client.got, /the grant has expired/)
  t.equal(asked.length, 1)
  t.equal(parsed(), 0)
})

t.test(
  'strict recordings: the cluster is asked once the request is on file, and not when its session ends before',
  async (t) => {
    const { client, control, asked, cut } = await start(t, { engine: { isRecordingStrict: true } })
    control.holds = true
    client.say(get())
    await waitUntil(() => control.written.length === 0 && control.holds && control.written.toString() !== '() => {}')
    t.same(asked, [])
    control.written()
    t.same(await client.answers(1), ['200'])
    const last = control.written
    client.say(get())
    await waitUntil(() => control.written !== last)
    await cut()
    t.same(await client.answers(2), ['200', '403'])
    control.written()
    client.say(request('POST', '/other'))
    await client.answers(3)
    t.equal(asked.length, 1)
  },
)

t.test('grant-end races: cut before the answer, in it, and in a watch', async (t) => {
  const silent = () => {}
  const half = (_: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(200, { ...json, 'content-length': '100' }).write('{"items":[')
  const watch = (_: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(200, json).write('{"type":"BOOKMARK"}\n')

  const before = await start(t, { answer: silent })
  before.client.say(get())
  await waitUntil(() => before.asked.length === 1)
  await before.cut()
  t.same(await before.client.answers(1), ['403'])
  t.match(before.client.got, /incident 42/)
  await waitUntil(() => before.targets.size === 0, 'the cluster is left')

  const amid = await start(t, { answer: half })
  amid.client.say(get())
  await waitUntil(() => amid.client.got.endsWith('['))
  await amid.cut()
  await waitUntil(() => amid.client.isClosed, 'it does not look whole')
  t.match(amid.seen.entries.at(-1), { type: 'response', status: 200, bytesDown: 10, cut: /incident 42/ })

  const watching = await start(t, { answer: watch })
  watching.client.say(get(`${pods}?watch=true`))
  await waitUntil(() => watching.client.got.includes('BOOKMARK'))
  await watching.cut()
  await waitUntil(() => watching.client.isClosed)
  t.match(watching.client.got, /\r\n[0-9a-f]+\r\n\{"type":"ERROR".*incident 42.*\}\n\r\n0\r\n\r\n$/)
})

t.test('the end of a watch whose client has ended its side, or has left', async (t) => {
  const { client, seen, targets } = await start(t, {
    answer: (_, response) => void response.writeHead(200, json).write('{"type":"BOOKMARK"}\n'),
  })
  client.say(get(`${pods}?watch=true`))
  await waitUntil(() => client.got.includes('BOOKMARK'))
  client.socket.end()
  await waitUntil(() => client.isClosed)
  await waitUntil(() => targets.size === 0, 'the cluster is left')
  t.match(seen.entries.at(-1), { type: 'response', status: 200, cut: 'the client left' })
})

t.test('a recording that is behind holds the answer', async (t) => {
  let more = () => {}
  const { client, control } = await start(t, {
    answer: (_, response) => {
      response.writeHead(200, json).flushHeaders()
      more = () => void response.end(Buffer.alloc(2_000_000, 'x'))
    },
  })
  control.isFull = true
  client.say(get(`${pods}?watch=true`))
  await client.answers(1)
  more()
  await waitUntil(() => client.got.includes('xxx'))
  const { length } = client.got
  t.ok(length < 1_000_000, `${length} bytes have passed`)
  control.isFull = false
  control.drain()
  await waitUntil(() => client.got.endsWith('0\r\n\r\n'))
  t.ok(client.got.length > 2_000_000)
})

t.test('an answer until the connection ends, of HTTP/1.0, ends the client’s as well', async (t) => {
  const { client } = await start(t, { answer: ({ socket }) => void socket.end('HTTP/1.0 200 OK\r\nX: y\r\n\r\nabc') })
  client.say(get())
  await waitUntil(() => client.isClosed)
  t.match(client.got, /^HTTP\/1\.1 200 OK\r\nX: y\r\nconnection: close\r\n\r\nabc$/)
})

t.test('a client that comes by a proxy has the address that this says', async (t) => {
  const { client, asked } = await start(t)
  client.say(get(pods, 'X-Forwarded-For: 203.0.113.7'))
  await client.answers(1)
  t.match(asked, [{ headers: { 'x-forwarded-for': '127.0.0.1' } }], 'unless nobody trusts it')
})
