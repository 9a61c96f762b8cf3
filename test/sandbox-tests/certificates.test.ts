import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { connect, createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { createAuthority, type Leaf, writeLeaf } from '../sandbox/certificates.ts'

const name = 'orders.abc123.eu-west-1.rds.amazonaws.com'

t.test('a leaf is what it should be', async (t) => {
  const authority = createAuthority()
  const root = new X509Certificate(authority.cert)
  const leaf = new X509Certificate(authority.issue([name, 'localhost', '127.0.0.1']).cert)
  t.ok(root.ca && root.verify(root.publicKey))
  t.notOk(leaf.ca)
  t.ok(leaf.verify(root.publicKey) && leaf.checkIssued(root))
  t.equal(leaf.subjectAltName, `DNS:${name}, DNS:localhost, IP Address:127.0.0.1`)
  t.equal(leaf.checkHost(name), name)
  t.equal(leaf.checkIP('127.0.0.1'), '127.0.0.1')
  t.equal(leaf.checkHost('other.example.com'), undefined)
  t.strictSame(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'for servers')
  t.equal(leaf.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
})

t.test('TLS clients believe it for its names, from its authority, while it is valid', async (t) => {
  const authority = createAuthority()
  const good = authority.issue([name])
  t.equal(await handshake(t, good, authority.cert, name), 'authorized')
  t.match(await handshake(t, good, authority.cert, 'other.example.com'), /ERR_TLS_CERT_ALTNAME_INVALID/)
  t.match(await handshake(t, good, createAuthority().cert, name), /UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/)
  const expired = authority.issue([name], { notAfter: Date.now() - 1000 })
  t.equal(await handshake(t, expired, authority.cert, name), 'CERT_HAS_EXPIRED')
  const long = `${'x'.repeat(60)}.${'y'.repeat(60)}.rds.amazonaws.com`
  t.equal(await handshake(t, authority.issue([long]), authority.cert, long), 'authorized', 'names beyond 64 characters')
})

t.test('files: the key is for its owner alone', async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-certificates-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const files = writeLeaf(folder, 'listener', createAuthority().issue(['localhost']))
  t.equal(statSync(files.key).mode & 0o777, 0o600)
})

async function handshake(t: Test, leaf: Leaf, ca: string, servername: string): Promise<string> {
  const server = createServer(leaf, (socket) => socket.on('error', () => {}).end())
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const socket = connect({ port, host: '127.0.0.1', ca, servername })
  try {
    await once(socket, 'secureConnect')
    return socket.authorized ? 'authorized' : String(socket.authorizationError)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    socket.destroy()
  }
}
