import { createHash, createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import path from 'node:path'

/**
 * X.509 v3 certificates (RFC 5280) for the sandbox: one authority, leaf certificates below it, all P-256 with SHA-256.
 * Written out in DER because the sandbox must start on a machine that has npm and nothing else (no openssl), and the one
 * fixed shape needed here is shorter than a library. Left out: revocation, intermediate authorities, other algorithms.
 */
export interface Leaf {
  /** PEM: the leaf alone; its issuer is what clients are told to trust. */
  readonly cert: string
  /** PEM, PKCS #8. */
  readonly key: string
}

export interface Authority {
  /** PEM root for clients. */
  readonly cert: string
  /** Certificate for servers under these DNS names or IPv4 addresses, or of a client. By default valid from a day ago for a week. */
  issue(names: readonly [string, ...string[]], asked?: { notBefore?: number; notAfter?: number; of?: 'client' }): Leaf
}

const dayMs = 86_400_000

export function createAuthority(name = 'Sallyport sandbox CA'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = { name, key: keys.privateKey, keyId: keyIdOf(keys.publicKey) }
  const validity = { notBefore: Date.now() - dayMs, notAfter: Date.now() + 7 * dayMs }
  const extensions = [basicConstraints(true), keyUsage(0x06, 1), subjectKeyId(issuer.keyId)]
  const cert = certificate({ subject: name, publicKey: keys.publicKey, ...validity, extensions }, issuer)
  return {
    cert,
    issue: (names, { of, ...asked } = {}) => {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const leaf = certificate(
        {
          subject: names[0],
          publicKey: own.publicKey,
          ...validity,
          ...asked,
          extensions: [
            basicConstraints(false),
            keyUsage(0x80, 7),
            of === 'client' ? clientAuthentication() : serverAuthentication(),
            subjectAltName(names),
            subjectKeyId(keyIdOf(own.publicKey)),
            authorityKeyId(issuer.keyId),
          ],
        },
        issuer,
      )
      return { cert: leaf, key: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
    },
  }
}

/** Writes NAME.crt and NAME.key (0600); returns their paths as a `tls` section of the configuration wants them. */
export function writeLeaf(folder: string, name: string, leaf: Leaf): { cert: string; key: string } {
  const files = { cert: path.join(folder, `${name}.crt`), key: path.join(folder, `${name}.key`) }
  writeFileSync(files.cert, leaf.cert)
  writeFileSync(files.key, leaf.key, { mode: 0o600 })
  return files
}

interface Issuer {
  readonly name: string
  readonly key: KeyObject
  readonly keyId: Buffer
}

interface Body {
  readonly subject: string
  readonly publicKey: KeyObject
  readonly notBefore: number
  readonly notAfter: number
  readonly extensions: readonly Buffer[]
}

function certificate(body: Body, issuer: Issuer): string {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2')) // ecdsa-with-SHA256
  const tbs = sequence(
    der(0xa0, integer(Buffer.from([2]))), // version 3
    integer(Buffer.concat([Buffer.from([0x01]), randomBytes(15)])), // positive serial number
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(body.notBefore), time(body.notAfter)),
    distinguishedName(body.subject),
    body.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...body.extensions)),
  )
  const signature = createSign('sha256').update(tbs).sign(issuer.key)
  const lines = sequence(tbs, algorithm, bitString(signature, 0)).toString('base64').replaceAll(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`
}

const basicConstraints = (isAuthority: boolean) =>
  extension(
    '2.5.29.19',
    sequence(...(isAuthority ? [der(0x01, Buffer.from([0xff])), integer(Buffer.from([0]))] : [])),
    true,
  )
const keyUsage = (bits: number, unused: number) => extension('2.5.29.15', bitString(Buffer.from([bits]), unused), true)
const serverAuthentication = () => extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1')))
const clientAuthentication = () => extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.2')))
const subjectKeyId = (id: Buffer) => extension('2.5.29.14', der(0x04, id))
const authorityKeyId = (id: Buffer) => extension('2.5.29.35', sequence(der(0x80, id)))
const subjectAltName = (names: readonly string[]) =>
  extension(
    '2.5.29.17',
    sequence(
      ...names.map((name) =>
        isIPv4(name) ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name, 'ascii')),
      ),
    ),
  )

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value))
}

/** SHA-1 of the public point, RFC 5280 section 4.2.1.2 method 1; the point is the last 65 bytes of a P-256 SPKI. */
function keyIdOf(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }).subarray(-65))
    .digest()
}

const distinguishedName = (commonName: string) =>
  sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(commonName.slice(0, 64)))))) // ub-common-name is 64

/** UTCTime, as RFC 5280 demands for dates before 2050. */
const time = (at: number) =>
  der(0x17, Buffer.from(`${new Date(at).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`))

const sequence = (...parts: readonly Buffer[]) => der(0x30, ...parts)
const bitString = (bytes: Buffer, unused: number) => der(0x03, Buffer.from([unused]), bytes)
const integer = (bytes: Buffer) => der(0x02, bytes)

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  const digits = [value & 0x7f]
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80)
  return digits
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const length =
    content.length < 0x80
      ? [content.length]
      : content.length < 0x100
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}
