import { type RouteKey, routes } from '../../src/contract/routes.ts'
import { buildApp } from '../../src/http/app.ts'
import { featureRoutes } from '../../src/http/feature-routes.ts'
import type { RouteEntry } from '../../src/http/plugins/route-table.ts'
import { awsRoutes } from '../../src/kinds/iam-role/routes.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'

const introduction = `# HTTP

Every route and websocket, and who may call it. \`user\` is anyone who is signed in; an admin is not automatically an auditor. An API
token also needs the scope, and cannot call routes that are interactive or have none. With a browser's cookie, only our own
pages can change state (\`Origin\`). The API is described in \`/api/v1/openapi.json\`; errors are problem+json with the codes of
[errors.md](errors.md).

| | route | what it does | who | scope of an API token | |
| --- | --- | --- | --- | --- | --- |
`

export async function renderHttp(): Promise<string> {
  const rows = (await registeredRoutes()).map(({ method, url, access, scope, interactive, websocket }) => {
    const notes = [...(interactive ? ['interactive'] : []), ...(websocket ? ['websocket'] : [])].join(', ')
    return `| ${method} | \`${url}\` | ${summaryOf(method, url)} | ${access} | ${scope ?? ''} | ${notes} |`
  })
  return `${introduction}${rows.join('\n')}\n`
}

function summaryOf(method: string, url: string): string {
  const key = `${method} ${url}`
  return key in routes ? routes[key as RouteKey].summary : ''
}

/** The routes as they register themselves; no request is made, so so their dependencies are absent. */
export async function registeredRoutes(): Promise<readonly RouteEntry[]> {
  const publicUrl = 'https://access.example.com'
  const absent = {} as never
  const app = await buildApp({
    identity: absent,
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    publicUrl,
    trustedProxies: [],
    routes: [
      ...featureRoutes({
        health: absent,
        login: { publicUrl, clock: { now: () => 0 } } as never,
        identity: { identity: absent } as never,
        me: absent,
        requestUse: absent,
        access: { access: absent } as never,
        configuration: { planReload: absent },
        sessions: absent,
        usage: absent,
        connect: absent,
        connectOptions: absent,
        accounts: absent,
        inventory: absent,
        validations: absent,
        pushes: absent,
        audit: { audit: absent } as never,
        recordings: absent,
        peers: absent,
        live: absent,
      }),
      awsRoutes(absent),
    ],
  })
  await app.ready()
  return [...app.routeTable].sort((a, b) => (a.url < b.url ? -1 : a.url > b.url ? 1 : a.method < b.method ? -1 : 1))
}
