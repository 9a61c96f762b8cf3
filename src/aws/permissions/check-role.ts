import type { IAMClient } from '@aws-sdk/client-iam'
import { type CallDeps, iamClient, tryCall } from './calls.ts'
import { type Called, type JudgedPermission, judge } from './judge.ts'
import type { Permission } from './permission.ts'
import { type Simulated, simulate } from './simulate.ts'

/** A real call for each action that has a cheap one which changes nothing. */
export type Probes = Readonly<Record<string, () => Promise<Called>>>

export interface RoleCheck {
  /** ARN; null: it is not known which role it is. */
  readonly role: string | null
  readonly partition: string
  readonly permissions: readonly Permission[]
  /** The document that they come from, in words. */
  readonly document: string
  readonly probes: Probes
}

/**
 * What a role of the broker is allowed, by a simulation of itself where it may, and by real calls. One call at a time.
 * @throws the signal's reason once it is aborted
 */
export async function checkRole(deps: CallDeps, check: RoleCheck): Promise<JudgedPermission[]> {
  const { role, permissions, document, probes } = check
  const client = await iamClient(deps, check.partition)
  try {
    const { simulated, notSimulated, called: simulation } = await simulationOf(deps, client, check)
    const judged: JudgedPermission[] = []
    for (const permission of permissions) {
      deps.signal.throwIfAborted()
      const isSimulation = permission.action === 'iam:SimulatePrincipalPolicy'
      const called = isSimulation ? simulation : ((await probes[permission.action]?.()) ?? null)
      const whose = { role: role ?? 'the hub', document, notSimulated }
      judged.push(judge(permission, simulated.get(permission), called, whose))
    }
    return judged
  } finally {
    client.destroy()
  }
}

async function simulationOf(
  { metrics, signal }: CallDeps,
  client: IAMClient,
  { role, permissions }: Pick<RoleCheck, 'role' | 'permissions'>,
): Promise<Simulation> {
  const none = new Map<Permission, Simulated>()
  if (role === null)
    return { simulated: none, notSimulated: 'it is not known which role the daemon runs as', called: null }
  const sdk = await import('@aws-sdk/client-iam')
  let simulated = none
  const called = await tryCall({ metrics }, 'iam:SimulatePrincipalPolicy', async () => {
    simulated = await simulate(role, permissions, (run) => run(client, sdk))
  })
  signal.throwIfAborted()
  return { simulated, called, notSimulated: called.decision === 'allowed' ? null : `not simulated: ${called.text}` }
}

interface Simulation {
  readonly simulated: ReadonlyMap<Permission, Simulated>
  /** Why nothing was; null: it was. */
  readonly notSimulated: string | null
  readonly called: Called | null
}
