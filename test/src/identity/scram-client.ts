import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

/** The client's side of SCRAM-SHA-256 (RFC 5802), without channel binding; only for tests. */
export function scramClient(password: string, nonce = 'rOprNGfwEbeRWgbNEkqO') {
  const bare = `n=,r=${nonce}`
  return {
    first: Buffer.from(`n,,${bare}`),
    final: (serverFirst: Buffer): Buffer => {
      const text = serverFirst.toString()
      const [, wholeNonce = '', salt = '', iterations = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(text) ?? []
      const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256')
      const clientKey = hmac(salted, 'Client Key')
      const storedKey = createHash('sha256').update(clientKey).digest()
      const withoutProof = `c=biws,r=${wholeNonce}`
      const signature = hmac(storedKey, `${bare},${text},${withoutProof}`)
      const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)))
      return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
    },
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
