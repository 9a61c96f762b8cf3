import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { readIfThere, replaceFile } from '../../../proxy/local/replace-file.ts'
import { quickPost } from '../api/quick-post.ts'
import { loginFilePath } from '../login/login-file.ts'
import { openLogin } from '../login/login-store.ts'
import { exitCodes, fail } from '../output.ts'

export interface CredentialAsk {
  readonly resource: string
  readonly level?: string
  readonly server?: string
}

interface Kept {
  readonly token: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** Each run of kubectl asks again, so that the token is kept on disk for its next ones. */
const tokenMs = 900_000
/** A token is not handed out in its last stretch. */
const marginMs = 60_000

/**
 * What kubectl's exec plugins print (client-go, `client.authentication.k8s.io/v1`). kubectl shows what is on standard error, which says how
 * to sign in again: nothing is asked here. Never rejects.
 */
export async function kubeCredential(ask: CredentialAsk): Promise<number> {
  try {
    const { token, expiresAt } = await credential(ask, Date.now())
    const credentialOf = {
      apiVersion: apiVersion(process.env.KUBERNETES_EXEC_INFO),
      kind: 'ExecCredential',
      status: { token, expirationTimestamp: new Date(expiresAt).toISOString() },
    }
    process.stdout.write(`${JSON.stringify(credentialOf)}\n`)
    return exitCodes.done
  } catch (error) {
    return fail(error)
  }
}

async function credential({ server, resource, level }: CredentialAsk, now: number): Promise<Kept> {
  const login = await openLogin({ server })
  // Of this sign-in alone: what a sign-out ends is not handed out afterwards.
  const key = createHash('sha256')
    .update(JSON.stringify([login, resource, level]))
    .digest('hex')
  const path = join(dirname(loginFilePath(process.env)), 'kube', key.slice(0, 32))
  const kept = readKept((await readIfThere(path))?.toString())
  if (kept && kept.expiresAt - marginMs > now) return kept
  const body = { resource, ...(level === undefined ? {} : { level }), durationMs: tokenMs }
  const { token, expiresAt } = await quickPost(login, 'POST /api/v1/connect-tokens', { body })
  await replaceFile(path, JSON.stringify({ token, expiresAt }), 0o600)
  return { token, expiresAt }
}

function readKept(text = ''): Kept | null {
  try {
    const { token, expiresAt } = JSON.parse(text) as Partial<Kept>
    return typeof token === 'string' && typeof expiresAt === 'number' ? { token, expiresAt } : null
  } catch {
    return null
  }
}

/** kubectl wants to hear the version that it asked with. */
function apiVersion(info = ''): string {
  const version = /"apiVersion":"(client\.authentication\.k8s\.io\/v1(?:beta1)?)"/.exec(info)?.[1]
  return version ?? 'client.authentication.k8s.io/v1'
}
