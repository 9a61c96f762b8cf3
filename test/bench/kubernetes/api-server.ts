/** `node api-server.ts PORT CERT KEY`: what an API server says, without being one: a pod of 1 KB, a list of 5 MB, watches that stay silent. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const [port, cert = '', key = ''] = process.argv.slice(2)
const pod = Buffer.from(JSON.stringify({ kind: 'Pod', padding: 'x'.repeat(995) }))
const list = Buffer.from(JSON.stringify({ kind: 'PodList', padding: 'x'.repeat(5 * 1024 * 1024) }))
const common = { 'content-type': 'application/json', 'audit-id': '00000000-0000-4000-8000-000000000000' }

const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, ({ url = '' }, response) => {
  if (url.includes('watch=true')) {
    response.writeHead(200, common)
    response.write('{"type":"BOOKMARK","object":{}}\n')
    return
  }
  const body = url.endsWith('/pods') ? list : pod
  response.writeHead(200, { ...common, 'content-length': body.length })
  response.end(body)
})
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))
