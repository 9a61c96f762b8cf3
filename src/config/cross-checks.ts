import { isWithinRange } from '../../proxy/ports/address-range.ts'
import type { Kinds } from '../catalog/kind.ts'
import { isAddressRange, isLoopback } from './addresses.ts'
import type { Config } from './config.ts'
import type { Finding } from './finding.ts'
import { listenerTls, pinnedResources, portCollisions } from './listener-checks.ts'
import { queuePlace } from './queue-url.ts'
import type { ConfigFile } from './schema.ts'
import { storeFindings } from './store-url.ts'

type Section = keyof ConfigFile

/** A check over several values. Runs when the sections it reads have no problems of their own. */
export interface CrossCheck {
  readonly reads: readonly Section[]
  find(file: ConfigFile, config: Config, kinds: Kinds): Finding[]
}

export const crossChecks: readonly CrossCheck[] = [
  { reads: ['server'], find: (file, config) => [...plainHttp(config), ...publicUrl(file), ...peerUrl(file)] },
  {
    reads: ['server', 'listeners'],
    find: (file, config) => [
      ...listenerTls(file),
      ...portCollisions(config),
      ...proxies(config),
      ...peersAsBalancers(config),
    ],
  },
  { reads: ['listeners', 'resources'], find: (file, _, kinds) => pinnedResources(file, kinds) },
  { reads: ['oidc'], find: (file) => [...issuer(file), ...logins(file)] },
  { reads: ['aws'], find: awsFindings },
  { reads: ['aws', 'oidc'], find: personalTrust },
  { reads: ['aws', 'inventory'], find: identityCenterHome },
  { reads: ['oidc', 'inventory', 'access'], find: centerGroups },
  { reads: ['audit'], find: anchors },
  { reads: ['inventory'], find: eventQueue },
  { reads: ['store'], find: storeFindings },
]

/** Who changes groups of Identity Center must not decide who rules the broker, and without Identity Center nobody is in them. */
function centerGroups({ oidc, inventory, access = [] }: ConfigFile): Finding[] {
  const isCenterGroup = (group: string) => group.startsWith('idc:')
  const roles = (['admin_groups', 'auditor_groups'] as const).flatMap((member) =>
    (oidc[member] ?? []).flatMap((group, i) =>
      isCenterGroup(group)
        ? [
            {
              path: `oidc.${member}[${i}]`,
              message: `groups of Identity Center give no role, got "${group}"`,
              fix: 'name a group of the identity provider',
            },
          ]
        : [],
    ),
  )
  if (inventory?.identity_center !== undefined) return roles
  const fix = 'set inventory.identity_center, or name a group of the identity provider'
  const inRules = access.flatMap(({ who, approval }, i) => [
    ...(who.groups ?? []).map((group, j) => ({ path: `access[${i}].who.groups[${j}]`, group })),
    ...(approval?.stages ?? []).flatMap(({ any_of: terms }, j) =>
      terms.map((term) => ({ path: `access[${i}].approval.stages[${j}].any_of`, group: term.replace(/^group:/, '') })),
    ),
  ])
  const unread = inRules.filter(({ group }) => isCenterGroup(group))
  const message = (group: string) => `Identity Center is not read, so nobody is in "${group}"`
  return [...roles, ...unread.map(({ path, group }) => ({ path, message: message(group), fix }))]
}

function plainHttp({ server }: Config): Finding[] {
  if (server.tls || isLoopback(server.listen.host) || server.trustedProxies.length > 0) return []
  return [
    {
      path: 'server.listen',
      message: `plain HTTP on ${server.listen.host} would send sign-ins unencrypted`,
      fix: 'set server.tls, listen on 127.0.0.1, or list the TLS proxy in front of it in server.trusted_proxies',
    },
  ]
}

/** Plain HTTP is good enough: what daemons say to each other is sealed. */
function peerUrl({ server }: ConfigFile): Finding[] {
  const path = 'server.peer_url'
  if (server.peer_url === undefined) return []
  const url = URL.parse(server.peer_url)
  if (!url) return [{ path, message: 'expected a URL', fix: 'e.g. https://10.0.1.17:8443' }]
  if (url.origin !== URL.parse(server.public_url)?.origin) return originOnly(path, url)
  return [
    {
      path,
      message: 'is server.public_url, which may lead to any daemon',
      fix: 'name an address of this daemon alone',
    },
  ]
}

function originOnly(path: string, url: URL): Finding[] {
  const findings: Finding[] = []
  if (url.username || url.password)
    findings.push({ path, message: 'expected no user or password in the URL', fix: 'remove them' })
  if (url.pathname !== '/' || url.search || url.hash)
    findings.push({ path, message: 'expected nothing after the host and port', fix: `write ${url.origin}` })
  return findings
}

function publicUrl({ server }: ConfigFile): Finding[] {
  const path = 'server.public_url'
  const url = URL.parse(server.public_url)
  if (!url) return [{ path, message: 'expected a URL', fix: 'e.g. https://access.example.com' }]
  const findings: Finding[] = []
  if (url.protocol !== 'https:' && !isLoopback(url.hostname))
    findings.push({ path, message: 'expected https, got http', fix: 'use https; only loopback addresses may use http' })
  findings.push(...originOnly(path, url))
  if (url.protocol === 'https:' && !server.tls && !server.trusted_proxies?.length)
    findings.push({
      path,
      message: 'is https, but the daemon serves plain HTTP and trusts no proxy',
      fix: 'set server.tls, or list the TLS proxy in server.trusted_proxies',
      warning: true,
    })
  return findings
}

function proxies({ server, listeners }: Config): Finding[] {
  const lists = [
    { path: 'server.trusted_proxies', ranges: server.trustedProxies },
    { path: 'server.proxy_protocol', ranges: server.proxyProtocol },
    ...Object.entries(listeners).flatMap(([protocol, ports]) =>
      ports.map(({ proxyProtocol }, i) => ({
        path: `listeners.${protocol}[${i}].proxy_protocol`,
        ranges: proxyProtocol,
      })),
    ),
  ]
  return lists.flatMap(({ path, ranges }) =>
    ranges.flatMap((range, i) =>
      isAddressRange(range)
        ? []
        : [
            {
              path: `${path}[${i}]`,
              message: `expected an address or CIDR, got "${range}"`,
              fix: 'e.g. 10.0.0.0/8',
            },
          ],
    ),
  )
}

/** The other daemons are mostly in the same network as this one, and send no header. */
function peersAsBalancers({ server }: Config): Finding[] {
  const host = URL.parse(server.peerUrl ?? '')?.hostname.replace(/^\[(.*)\]$/, '$1') ?? ''
  return server.proxyProtocol.flatMap((range, i) =>
    isAddressRange(range) && isWithinRange(host, range)
      ? [
          {
            path: `server.proxy_protocol[${i}]`,
            message: `has ${host} of server.peer_url in it: what other daemons ask from there is closed for lack of a header`,
            fix: 'name the addresses of the balancer alone',
            warning: true,
          },
        ]
      : [],
  )
}

function issuer({ oidc }: ConfigFile): Finding[] {
  const path = 'oidc.issuer'
  const url = URL.parse(oidc.issuer)
  if (!url) return [{ path, message: 'expected a URL', fix: 'e.g. https://login.example.com' }]
  if (url.protocol === 'https:' || isLoopback(url.hostname)) return []
  return [{ path, message: 'expected https, got http', fix: 'use https; only loopback addresses may use http' }]
}

function logins({ oidc }: ConfigFile): Finding[] {
  if (oidc.client_secret !== undefined) return []
  return [
    {
      path: 'oidc',
      message: 'there is no client_secret, so the provider must accept a public client',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write
      fix: 'set client_secret: ${env:OIDC_SECRET} if the provider gave you one',
      warning: true,
    },
  ]
}

function awsFindings({ aws = {} }: ConfigFile, config: Config): Finding[] {
  return [...endpoints(config), ...partitions(aws, config)]
}

/** The hub's credentials and tokens are sent to these. */
function endpoints({ aws }: Config): Finding[] {
  return Object.entries(aws.endpoints).flatMap(([service, text]) => {
    const path = service === '*' ? 'aws.endpoint_url' : `aws.endpoint_url.${service}`
    const url = URL.parse(text)
    if (!url)
      return [{ path, message: 'expected a URL', fix: 'e.g. https://vpce-1a2b.sts.eu-west-1.vpce.amazonaws.com' }]
    if (url.protocol === 'https:' || isLoopback(url.hostname)) return []
    return [{ path, message: 'session tokens would be sent unencrypted', fix: 'use https', warning: true as const }]
  })
}

/** Roles of one partition can't assume roles of another. */
function partitions(aws: NonNullable<ConfigFile['aws']>, config: Config): Finding[] {
  const hub = aws.hub_role_arn?.split(':')[1]
  if (!hub) return []
  return Object.entries(config.aws.accounts).flatMap(([id, { partition }]) =>
    partition === hub
      ? []
      : [
          {
            path: `aws.accounts.${id}`,
            message: `is in partition ${partition}, but the hub role is in ${hub}`,
            fix: 'run a separate broker for each partition',
          },
        ],
  )
}

/** There an ID token is a key to AWS, so nobody may obtain one with the client id alone. */
function personalTrust({ oidc }: ConfigFile, { aws }: Config): Finding[] {
  if (oidc.client_secret !== undefined) return []
  return Object.entries(aws.accounts).flatMap(([id, { trust }]) =>
    trust === 'web_identity'
      ? [
          {
            path: `aws.accounts.${id}.trust`,
            message: 'web_identity needs a confidential client, but there is no oidc.client_secret',
            // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write
            fix: 'make the client at the provider a confidential one and set oidc.client_secret: ${env:OIDC_SECRET}, or let the account trust the hub',
          },
        ]
      : [],
  )
}

/** Identity Center has one home region, and nothing else says which. */
function identityCenterHome({ inventory }: ConfigFile, { aws }: Config): Finding[] {
  const center = inventory?.identity_center
  if (!center || center.region !== undefined || aws.regions.length > 0) return []
  return [
    {
      path: 'inventory.identity_center',
      message: 'its home region is not known: neither it nor aws.regions names one',
      fix: 'set region, as the console of Identity Center shows it, e.g. region: eu-west-1',
    },
  ]
}

function anchors({ audit }: ConfigFile): Finding[] {
  return (audit?.anchors ?? []).flatMap((one, i) => {
    const path = `audit.anchors[${i}]`
    if (one.stdout === false) return [{ path, message: 'stdout: false has no effect', fix: 'remove this item' }]
    if ((one.file === undefined) === (one.stdout === undefined))
      return [{ path, message: 'expected one of file and stdout', fix: 'write one item for each destination' }]
    return []
  })
}

function eventQueue({ inventory }: ConfigFile): Finding[] {
  const events = inventory?.events
  if (events === undefined || queuePlace(events.queue, events.region ?? null).region !== null) return []
  return [
    {
      path: 'inventory.events.region',
      message: 'the host of inventory.events.queue does not say the region',
      fix: 'e.g. region: eu-west-1',
    },
  ]
}
