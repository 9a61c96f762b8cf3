import type { EndReason } from '../../../proxy/session.ts'
import type { Core } from '../core.ts'
import type { TokenStore } from './token-store.ts'

type RemoveDeps = Pick<Core, 'removals' | 'changes' | 'clock' | 'logger'> & { readonly store: TokenStore }

const touchEveryMs = 60_000

interface Why {
  readonly reason: EndReason
  readonly text: string
}

/** Ends what the token opened. */
export function publishRemoval({ changes, clock }: Pick<RemoveDeps, 'changes' | 'clock'>, id: string, why: Why): void {
  changes.publish({ what: 'token', id, ...why, decidedAt: clock.now() })
}

/** Removes a token: in memory and in every open session first, then from the store. Audited by the caller. */
export async function removeToken(
  deps: RemoveDeps,
  table: 'api_tokens' | 'connect_tokens',
  row: { readonly id: string; readonly expires_at: number },
  why: Why,
): Promise<void> {
  deps.removals.remove(row.id, row.expires_at)
  publishRemoval(deps, row.id, why)
  await eraseToken(deps, table, row)
}

/** So that it lets no one in any more; open sessions are not touched. */
export async function eraseToken(
  deps: RemoveDeps,
  table: 'api_tokens' | 'connect_tokens',
  row: { readonly id: string; readonly expires_at: number },
): Promise<void> {
  deps.removals.remove(row.id, row.expires_at)
  await deps.store.delete(table, row.id).catch((error: unknown) => {
    deps.removals.undeleted.set(row.id, table)
    deps.logger.error(
      { err: error, token_id: row.id },
      'could not delete a token; it is void and will be deleted later',
    )
  })
}

/** Last use, about once a minute: good enough to find unused tokens. @returns whether it was due */
export async function noteUse(
  deps: RemoveDeps,
  table: 'api_tokens' | 'connect_tokens',
  row: { readonly id: string; readonly last_used_at: number | null },
  address: string,
): Promise<boolean> {
  const now = deps.clock.now()
  if (row.last_used_at !== null && now - row.last_used_at < touchEveryMs) return false
  await deps.store.used(table, row.id, now, address).catch((error: unknown) => {
    deps.logger.error({ err: error, token_id: row.id }, 'could not record the use of a token')
  })
  return true
}
