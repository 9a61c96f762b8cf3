import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { readIfThere, replaceFile } from '../../../proxy/local/replace-file.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { quickCall } from '../api/quick-call.ts'
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
  readonly grantId: string
  /** When its grant was last known to be there, in epoch milliseconds. */
  readonly checkedAt: number
}

/** Each run of kubectl asks again, so that the token is kept on disk for its next ones. */
const tokenMs = 900_000
/** A token is not handed out in its last stretch. */
const marginMs = 60_000
/** A token is of no use once its grant is over, also when there is a new one by now. */
const trustedMs = 30_000

/** Where tokens are kept, each in a file of its own. */
export function keptTokens(env: NodeJS.ProcessEnv): string {
  return join(dirname(loginFilePath(env)), 'kube')
}

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

type Login = Awaited<ReturnType<typeof openLogin>>

async function credential({ server, resource, level }: CredentialAsk, now: number): Promise<Kept> {
  const login = await openLogin({ server })
  // Of this sign-in alone: what a sign-out ends is not handed out afterwards.
  const key = createHash('sha256')
    .update(JSON.stringify([login, resource, level]))
    .digest('hex')
  const path = join(keptTokens(process.env), key.slice(0, 32))
  const keep = async (kept: Kept) => {
    await replaceFile(path, JSON.stringify(kept), 0o600)
    return kept
  }
  const kept = readKept((await readIfThere(path))?.toString())
  if (kept && kept.expiresAt - marginMs > now) {
    if (kept.checkedAt + trustedMs > now && kept.checkedAt <= now) return kept
    if (await isActive(login, resource, kept.grantId)) return await keep({ ...kept, checkedAt: now })
  }
  const body = { resource, ...(level === undefined ? {} : { level }), durationMs: tokenMs }
  const { token, expiresAt, grantId } = await quickCall(login, 'POST /api/v1/connect-tokens', { body })
  return await keep({ token, expiresAt, grantId, checkedAt: now })
}

/** @throws BrokerError as the API does */
async function isActive(login: Login, resource: string, grantId: string): Promise<boolean> {
  try {
    const query = { resource, who: 'me', limit: 1000 }
    const { items } = await quickCall(login, 'GET /api/v1/grants', { query })
    return items.some(({ id }) => id === grantId)
  } catch (error) {
    // An API token that may connect need not be one that may read.
    if (error instanceof BrokerError && error.code === 'SCOPE_REQUIRED') return true
    throw error
  }
}

function readKept(text = ''): Kept | null {
  try {
    const { token, expiresAt, grantId, checkedAt } = JSON.parse(text) as Partial<Kept>
    if (typeof token !== 'string' || typeof expiresAt !== 'number') return null
    if (typeof grantId !== 'string' || typeof checkedAt !== 'number') return null
    return { token, expiresAt, grantId, checkedAt }
  } catch {
    return null
  }
}

/** kubectl wants to hear the version that it asked with. */
function apiVersion(info = ''): string {
  const version = /"apiVersion":"(client\.authentication\.k8s\.io\/v1(?:beta1)?)"/.exec(info)?.[1]
  return version ?? 'client.authentication.k8s.io/v1'
}
