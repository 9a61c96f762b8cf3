import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { createPerson } from './person.ts'
import { freePort } from './ports.ts'

/** What `login` on the same machine has after alice signed in, beginning at this URL: the codes that came to its port, and its verifier. */
export async function signInForCommand(
  url: string,
  onEnd: (close: () => void) => void,
): Promise<{ codes: readonly (string | null)[]; verifier: string }> {
  const port = await freePort()
  const codes: (string | null)[] = []
  const loopback = createServer((request, response) => {
    codes.push(new URL(request.url ?? '', url).searchParams.get('code'))
    response.end('done')
  }).listen(port, '127.0.0.1')
  onEnd(() => void loopback.close())
  const verifier = randomBytes(32).toString('base64url')
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const asked = new URLSearchParams({ port: String(port), state: 'x'.repeat(43), challenge })
  await createPerson('alice').signIn(`${url}/api/v1/cli/authorize?${asked}`)
  return { codes, verifier }
}
