import type { FastifyPluginAsync } from 'fastify'
import { commandLine } from '../../../../proxy/local/shell-quote.ts'
import { BrokerError } from '../../../../proxy/session.ts'
import type { Access } from '../../../access/access.ts'
import { type Kinds, kindNamed } from '../../../catalog/kind.ts'
import type { ConnectOptions } from '../../../contract/connect.ts'
import type { Login } from '../../../identity/principal.ts'
import { route } from '../../../identity/route.ts'

export interface ConnectOptionsDeps {
  readonly access: Pick<Access, 'grant' | 'check' | 'findResource' | 'resources'>
  readonly kinds: Kinds
  /** `server.public_url` */
  readonly publicUrl: string
  /** The broker's own port for a resource; null: it has none. */
  endpointOf(resourceId: string): { readonly host: string; readonly port: number } | null
  /** PEM of the authority of that port's certificate; null: a public one, or one that is not known here. */
  authorityOf(resourceId: string): Promise<string | null>
}

/** How people connect by what they hold. */
export const connectOptionRoutes =
  (deps: ConnectOptionsDeps): FastifyPluginAsync =>
  async (app) => {
    route(app, 'GET /api/v1/connect/options', ({ login, query }) => optionsOf(deps, login, query.grant))
  }

/** @throws BrokerError NOT_FOUND also for another person's grant; GRANT_EXPIRED, GRANT_DENIED … when one's own gives nothing now */
async function optionsOf(deps: ConnectOptionsDeps, login: Login, grantId: string): Promise<ConnectOptions> {
  const { access, kinds, publicUrl } = deps
  const grant = await access.grant(grantId)
  const { principal } = login
  if (grant?.principalId !== principal.id) throw new BrokerError('NOT_FOUND', `you have no grant ${grantId}`)
  const { resourceId, level } = grant
  const answer = await access.check({ principalId: principal.id, resource: resourceId, level, grantId })
  if (!answer.allowed)
    throw new BrokerError(answer.code, answer.reason, answer.hint === undefined ? {} : { hint: answer.hint })
  const { held } = answer
  const kind = kindNamed(kinds, held.resource.kind)
  const name = shortName(deps, login, held.resource)
  const options = (await isOnlyLevel(deps, login, resourceId)) ? [] : ['--level', level]
  const endpoint = deps.endpointOf(resourceId)
  const server = new URL(publicUrl).origin
  return {
    grantId,
    resourceId,
    name,
    protocol: kind?.protocol ?? null,
    server,
    host: endpoint?.host ?? null,
    port: endpoint?.port ?? null,
    database: kind?.shown?.(held.target).database || null,
    ca: endpoint && (await deps.authorityOf(resourceId)),
    login: commandLine(['sallyport', 'login', '--server', server]),
    commands: (kind?.commands?.(held.level, held.target, { name, options }) ?? []).map(({ title, words }) => ({
      title,
      command: commandLine(words),
    })),
  }
}

/** The last part, where it names this resource alone and is no option of a command. */
function shortName({ access }: ConnectOptionsDeps, login: Login, { id, name }: { id: string; name: string }): string {
  if (name.startsWith('-')) return id
  try {
    return access.findResource(login, name).id === id ? name : id
  } catch {
    return id
  }
}

/** Else commands must name the level. */
async function isOnlyLevel({ access }: ConnectOptionsDeps, login: Login, resourceId: string): Promise<boolean> {
  const { items } = await access.resources(login, { resourceId })
  return new Set(items.flatMap(({ grants }) => grants.map(({ level }) => level))).size <= 1
}
