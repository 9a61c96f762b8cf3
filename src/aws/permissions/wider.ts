import { type CallDeps, iamClient, tryCall } from './calls.ts'
import type { Permission } from './permission.ts'
import { simulate } from './simulate.ts'

/** What a role of the broker must not be allowed. */
export interface Excess {
  readonly action: string
  /** ARN that nothing needs. */
  readonly resource: string
  /** The resource in words. */
  readonly what: string
}

export interface WiderCheck {
  /** ARN. */
  readonly role: string
  readonly partition: string
  readonly excesses: readonly Excess[]
}

/**
 * Those that the role is allowed nevertheless, by a simulation of itself. Null with a reason: it could not be simulated.
 * @throws the signal's reason once it is aborted
 */
export async function findWider(
  deps: CallDeps,
  { role, partition, excesses }: WiderCheck,
): Promise<{ readonly allowed: readonly Excess[] } | { readonly allowed: null; readonly why: string }> {
  const client = await iamClient(deps, partition)
  try {
    const sdk = await import('@aws-sdk/client-iam')
    const asked = new Map<Permission, Excess>(excesses.map((one) => [toPermission(one), one]))
    let allowed: Excess[] = []
    const called = await tryCall(deps, 'iam:SimulatePrincipalPolicy', async () => {
      const found = await simulate(role, [...asked.keys()], (run) => run(client, sdk))
      allowed = [...found].flatMap(([permission, { decision }]) => {
        const excess = asked.get(permission)
        return decision === 'allowed' && excess ? [excess] : []
      })
    })
    deps.signal.throwIfAborted()
    return called.decision === 'allowed' ? { allowed } : { allowed: null, why: called.text }
  } finally {
    client.destroy()
  }
}

function toPermission({ action, resource }: Excess): Permission {
  return { action, resource, reason: '', severity: 'high', context: [] }
}
