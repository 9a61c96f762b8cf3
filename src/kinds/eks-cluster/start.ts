import type { KubernetesRules } from '../../../proxy/kubernetes/session-rules.ts'
import type { EngineFacts, Lease } from '../../../proxy/session.ts'
import { heldBy } from '../../catalog/kind.ts'
import { Leases } from '../leases.ts'
import type { KindParts, RunningKind } from '../module.ts'
import { clusterPorts } from '../reach/policies.ts'
import { viaOf } from '../reach/via.ts'
import { RootFiles } from '../root-files.ts'
import { Clusters } from './describe.ts'
import { eksCluster } from './kind.ts'
import { clusterLease, roleArn } from './lease.ts'

/** Credentials last an hour and are renewed ten minutes ahead. */
const renewMs = 120_000

export async function start(parts: KindParts): Promise<RunningKind> {
  const { clock, config, sessions } = parts
  const leases = new Leases(
    parts,
    clusterLease(() => clock.now()),
  )
  const clusters = new Clusters(parts)
  const roots = new RootFiles()
  return {
    permit: (held): EngineFacts => {
      const { target, level } = heldBy(eksCluster, held)
      const rules: KubernetesRules = {
        rules: level.rules,
        idleTimeoutMs: level.idleTimeoutMs,
        recordsInput: level.recordsInput,
        detail: { role: roleArn(target, level) },
      }
      const via = viaOf(target, config.aws, clusterPorts)
      return {
        ...(via ? { via } : {}),
        address: target.connect,
        serverName: target.endpoint,
        ca: target.ca === null ? null : roots.read(target.ca),
        isRecordingStrict: level.isRecordingStrict,
        ...(level.budget ? { budget: level.budget } : {}),
        rules,
      }
    },
    lease: async (sessionId, failed): Promise<Lease> => {
      const session = sessions.known(sessionId)
      const { facts, held, credential } = session
      const { target, level } = heldBy(eksCluster, held)
      const [token, ca] = await Promise.all([
        leases.token({ ...facts, credential }, target, level, failed?.secret),
        target.ca === null ? clusters.of(target, session, failed?.ca).then((described) => described.ca) : undefined,
      ])
      return {
        user: roleArn(target, level),
        secret: token.text,
        expiresAt: token.expiresAt,
        ...(ca === undefined ? {} : { ca }),
      }
    },
    validate: async (preflight) => {
      const { validateCluster } = await import('./validate.ts')
      const session = sessions.known(preflight.permit.sessionId)
      const { target } = heldBy(eksCluster, preflight.held)
      if (target.via.length === 0) return await validateCluster(preflight, session, { ...parts, clusters })
      const { validateVia } = await import('../reach/validate-via.ts')
      const way = await validateVia(parts, session, target, clusterPorts)
      return [...way, ...(await validateCluster(preflight, session, { ...parts, clusters }))]
    },
    chores: [
      {
        what: 'renew the credentials of open cluster sessions',
        everyMs: renewMs,
        per: 'daemon',
        run: () => leases.renew((sessionId) => sessions.isOpen(sessionId)),
      },
    ],
  }
}
