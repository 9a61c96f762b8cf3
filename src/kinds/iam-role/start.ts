import { createBoundary } from '../../aws/boundary.ts'
import { createServicesReader } from '../../aws/estate/services-used.ts'
import { createTrailReader } from '../../aws/estate/trail.ts'
import type { KindParts, RunningKind } from '../module.ts'
import { checkRoleTarget } from './check.ts'
import { checkDestination, consoleDestination, consoleLink } from './console.ts'
import { checkCredentialRows } from './credential-macs.ts'
import { createCredentialStore } from './credential-store.ts'
import { iamRole } from './kind.ts'
import { createMint } from './mint.ts'
import { Revoker } from './revoker.ts'
import { RoleSessions } from './role-sessions.ts'
import { type AwsRoutesDeps, awsRoutes } from './routes.ts'
import type { RoleTarget } from './target.ts'
import { readUses } from './uses.ts'

const sweepMs = 5000

export async function start(parts: KindParts): Promise<RunningKind> {
  const { audit, aws, config, db, identity, keyring } = parts
  const store = createCredentialStore(db, keyring)
  const boundary = createBoundary({ ...parts, config: config.aws })
  const revoker = new Revoker({ ...parts, store, boundary })
  const mint = createMint({ ...parts, aws, config: config.aws, idToken: identity.idToken })
  const roles = new RoleSessions({ ...parts, ...mint, store, kind: iamRole })
  const readTrail = createTrailReader({ ...parts, config: config.aws })
  const readServices = createServicesReader({ ...parts, config: config.aws })
  const spokeOf = (account: string) =>
    (config.aws.accounts[account]?.connectRole ?? config.aws.connectRole).split('/').at(-1) ?? ''
  return {
    api: awsRoutes(routesDeps(parts, roles)),
    chores: [{ what: 'sweep of credentials', everyMs: sweepMs, per: 'installation', run: () => revoker.sweep() }],
    uses: (target, range, signal) =>
      readUses(
        { readTrail, credentials: store, regions: regionsOf(config.aws.regions), spokeOf },
        target as RoleTarget,
        range,
        signal,
      ),
    servicesOf: (target, signal) => {
      const { partition, account, roleArn } = target as RoleTarget
      return readServices({ partition, account }, roleArn, signal)
    },
    recover: () => revoker.recover(),
    checkRows: () => checkCredentialRows(audit, store, keyring),
    check: (entry, levels, signal) => checkRoleTarget(parts, entry, levels, signal),
    settled: () => revoker.idle(),
    passiveCount: () => roles.openCount,
  }
}

/** Clients without a region of their own ask the first one of the partition. */
function regionsOf(regions: readonly string[]): string[] {
  const isUsual = regions.every((region) => !/^(cn|us-gov)-/.test(region))
  return [...new Set([...regions, ...(isUsual ? ['us-east-1'] : [])])]
}

function routesDeps({ audit, config }: KindParts, roles: RoleSessions): AwsRoutesDeps {
  const { aws, server } = config
  return {
    roles,
    publicUrl: server.publicUrl,
    region: aws.regions[0],
    checkDestination,
    consoleDestination,
    consoleLink: (ask) => consoleLink(aws, ask),
    onConsole: async ({ sessionId: session, grantId: grant, principalId: actor, destination }) => {
      await audit.append({ type: 'console.opened', actor, fields: { session, grant }, text: { destination } })
    },
  }
}
