import { dirname, join, resolve } from 'node:path'
import { Value } from 'typebox/value'
import { fileMembers, type Kinds, kindOf } from '../catalog/kind.ts'
import type { ResourceFile } from '../catalog/resource.ts'
import type { Config, ListenerConfig, TlsFiles } from './config.ts'
import { pinnedTo } from './listener-checks.ts'
import { protocolsOf } from './schema/listeners.ts'
import { type ConfigFile, configSchema } from './schema.ts'
import { readPostgresUrl, sqlitePath } from './store-url.ts'
import { parseDuration, parseHostPort, parseSize } from './units.ts'

/** Optional sections. */
const emptySections = {
  store: {},
  keys: {},
  aws: {},
  listeners: {},
  inventory: {},
  recordings: {},
  audit: {},
  limits: {},
}

/**
 * The configuration as the daemon uses it, from a file that the schema allows. Pure.
 * @param path absolute path of the file; relative paths in it start at `folder`
 */
export function resolveConfig(written: ConfigFile, path: string, folder: string, kinds: Kinds): Config {
  const file = Value.Default(configSchema(kinds), { ...emptySections, ...structuredClone(written) }) as ConfigFile
  const under = (relative: string) => resolve(folder, relative)
  return {
    file: path,
    server: resolveServer(file, under),
    store: resolveStore(file, under),
    keysDir: under(filled(file.keys?.dir)),
    stateDir: resolveState(file, under),
    oidc: resolveOidc(file),
    aws: resolveAws(file),
    listeners: resolveListeners(file, under, kinds),
    resources: (written.resources ?? []).map((one) => resolveResource(one, under, kinds)),
    inventory: {
      organization: file.inventory?.organization === true,
      ...resolveIdentityCenter(file),
      import: file.inventory?.import ?? null,
      everyMs: ms(file.inventory?.every),
      ...resolveEvents(file.inventory?.events),
    },
    levels: written.levels ?? [],
    access: written.access ?? [],
    recordings: {
      dir: under(filled(file.recordings?.dir)),
      maxPerSessionBytes: bytes(file.recordings?.max_per_session),
      maxPerPrincipalBytes: bytes(file.recordings?.max_per_principal),
      reserveBytes: bytes(file.recordings?.reserve),
    },
    audit: {
      checkpointEveryMs: ms(file.audit?.checkpoint_every),
      checkpointEvents: filled(file.audit?.checkpoint_events),
      anchors: (file.audit?.anchors ?? []).map((one) =>
        one.file === undefined ? { stdout: true as const } : { file: under(one.file) },
      ),
    },
    limits: {
      sessions: filled(file.limits?.sessions),
      sessionsPerPrincipal: filled(file.limits?.sessions_per_principal),
      sessionsPerResource: filled(file.limits?.sessions_per_resource),
      sessionIdleMs: ms(file.limits?.session_idle),
    },
  }
}

type Under = (relative: string) => string

function resolveServer({ server }: ConfigFile, under: Under): Config['server'] {
  return {
    listen: hostPort(server.listen),
    publicUrl: server.public_url.replace(/\/+$/, ''),
    peerUrl: server.peer_url?.replace(/\/+$/, '') ?? null,
    tls: server.tls ? tlsFiles(server.tls, under) : null,
    trustedProxies: server.trusted_proxies ?? [],
    proxyProtocol: server.proxy_protocol ?? [],
    metricsListen: hostPort(server.metrics_listen),
    workers: filled(server.workers),
    drainMs: ms(server.drain),
    drainDelayMs: ms(server.drain_delay),
  }
}

function resolveStore({ store }: ConfigFile, under: Under): Config['store'] {
  const graceMs = ms(store?.grace)
  const url = filled(store?.url)
  const path = sqlitePath(url)
  if (path !== undefined)
    return { url: path === ':memory:' ? 'sqlite::memory:' : `sqlite:${under(path)}`, postgres: null, graceMs }
  const { host, port, user, database, hasTls } = readPostgresUrl(url)
  const { ca, cert, key } = store?.tls ?? {}
  const file = (name: string | undefined) => (name === undefined ? null : under(name))
  const postgres = {
    ...{ host, port, user, database, password: store?.password ?? null },
    tls: hasTls ? { ca: file(ca), cert: file(cert), key: file(key) } : null,
    connections: filled(store?.connections),
    statementTimeoutMs: ms(store?.statement_timeout),
    lockTimeoutMs: ms(store?.lock_timeout),
  }
  return { url: `postgres://${user}@${host.includes(':') ? `[${host}]` : host}:${port}/${database}`, postgres, graceMs }
}

/** Beside the store by default, which is a folder that the daemon can write. */
function resolveState({ state, store }: ConfigFile, under: Under): string {
  const path = sqlitePath(filled(store?.url)) ?? ':memory:'
  return under(state?.dir ?? (path === ':memory:' ? './data/state' : join(dirname(path), 'state')))
}

function resolveOidc({ oidc }: ConfigFile): Config['oidc'] {
  return {
    issuer: oidc.issuer,
    clientId: oidc.client_id,
    clientSecret: oidc.client_secret ?? null,
    scopes: filled(oidc.scopes),
    groupsClaim: filled(oidc.groups_claim),
    groupsSource: sourceOf(oidc.groups_source),
    freshPrompt: freshPromptOf(oidc),
    managerClaim: filled(oidc.manager_claim),
    loginClaim: oidc.login_claim ?? null,
    tagClaims: oidc.tag_claims ?? [],
    adminGroups: oidc.admin_groups ?? [],
    auditorGroups: oidc.auditor_groups ?? [],
    sessionIdleMs: ms(oidc.session_idle),
    sessionMaxMs: ms(oidc.session_max),
    probeEveryMs: ms(oidc.probe_every),
  }
}

function resolveAws({ aws = {} }: ConfigFile): Config['aws'] {
  const connectRole = filled(aws.connect_role)
  const endpoints = typeof aws.endpoint_url === 'string' ? { '*': aws.endpoint_url } : (aws.endpoint_url ?? {})
  return {
    hubRoleArn: aws.hub_role_arn ?? null,
    connectRole,
    externalId: aws.external_id ?? null,
    reachRole: filled(aws.reach_role),
    revocationPolicy: filled(aws.revocation_policy),
    regions: aws.regions ?? [],
    accounts: Object.fromEntries(
      Object.entries(aws.accounts ?? {}).map(([id, one]) => [
        id,
        {
          connectRole: one.connect_role ?? connectRole,
          partition: filled(one.partition),
          trust: one.trust === 'web_identity' ? one.trust : 'hub',
          idToken: {
            sub: filled(one.id_token?.sub),
            amr: one.id_token?.amr ?? null,
            tags: one.id_token?.tags ?? {},
          },
        },
      ]),
    ),
    endpoints: Object.fromEntries(Object.entries(endpoints).map(([service, url]) => [service.toLowerCase(), url])),
  }
}

function resolveIdentityCenter({ inventory }: ConfigFile): Pick<Config['inventory'], 'identityCenter'> {
  const center = inventory?.identity_center
  if (!center) return {}
  const mode = center.import === 'all' || center.import === 'manual' ? center.import : 'provisioned'
  const match = center.match === 'user_name' || center.match === 'external_id' ? center.match : 'email'
  const push = {
    match,
    mostRemovals: center.most_removals ?? 50,
    portalUrl: center.portal_url?.replace(/\/+$/, '') ?? null,
  } as const
  return { identityCenter: { region: center.region ?? null, import: mode, push } }
}

function resolveListeners(file: ConfigFile, under: Under, kinds: Kinds): Config['listeners'] {
  const ports = (protocol: string): ListenerConfig[] =>
    (file.listeners?.[protocol] ?? []).map((one) => ({
      listen: hostPort(one.listen),
      // a port without a certificate is refused by listener-checks.ts, so that the empty names are never opened
      tls: tlsFiles(one.tls ?? file.server.tls ?? { cert: '', key: '' }, under),
      resource: one.resource === undefined ? null : pinnedTo(one.resource, protocol, file, kinds),
      proxyProtocol: one.proxy_protocol ?? [],
    }))
  return Object.fromEntries(protocolsOf(kinds).map((protocol) => [protocol, ports(protocol)]))
}

function resolveResource(file: ResourceFile, under: Under, kinds: Kinds): ResourceFile {
  const kind = kindOf(kinds, file.id)
  const paths = Object.keys(kind ? fileMembers(kind) : {}).flatMap((name) => {
    const path = file[name]
    return typeof path === 'string' ? [[name, under(path)]] : []
  })
  return { ...file, ...Object.fromEntries(paths) }
}

function tlsFiles(tls: TlsFiles, under: Under): TlsFiles {
  return { cert: under(tls.cert), key: under(tls.key) }
}

const hostPort = (text: string | undefined) => filled(parseHostPort(filled(text)))
const ms = (text: string | undefined) => filled(parseDuration(filled(text)))
const bytes = (text: string | undefined) => filled(parseSize(filled(text)))

/** Asserts a value that the schema's default or pattern guarantees. */
function filled<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the schema lacks a default that resolve.ts relies on')
  return value
}

/** The schema allows no other text. */
/** Entra ID takes one value of `prompt`, and grants `offline_access` without consent. */
const onePrompt =
  /^https:\/\/(login\.microsoftonline\.(com|us)|login\.partner\.microsoftonline\.cn|sts\.windows\.net)\//

function freshPromptOf({ fresh_prompt: set = 'auto', scopes, issuer }: ConfigFile['oidc']): string | null {
  if (set !== 'auto') return set === 'max_age' ? null : set
  const needsConsent = filled(scopes).includes('offline_access') && !onePrompt.test(issuer)
  return needsConsent ? 'login consent' : 'login'
}

function sourceOf(text: string | undefined): Config['oidc']['groupsSource'] {
  return text === 'id_token' || text === 'userinfo' ? text : 'any'
}

function resolveEvents(events: NonNullable<ConfigFile['inventory']>['events']): Pick<Config['inventory'], 'events'> {
  if (events === undefined) return {}
  return { events: { queue: events.queue, region: events.region ?? null, buckets: events.buckets ?? [] } }
}
