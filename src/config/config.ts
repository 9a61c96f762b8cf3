import type { ResourceFile } from '../catalog/resource.ts'
import type { StorePlace } from '../store/place.ts'
import type { LevelFile, RuleFile } from './schema.ts'

export interface HostPort {
  readonly host: string
  readonly port: number
}

export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/** A port for clients of one protocol. */
export interface ListenerConfig {
  readonly listen: HostPort
  readonly tls: TlsFiles
  /** The resource it is pinned to; null: serves every resource of its protocol. */
  readonly resource: string | null
  /** Addresses and CIDRs of balancers that send the PROXY protocol. */
  readonly proxyProtocol: readonly string[]
}

/** A registered account. */
export interface AwsAccount {
  readonly connectRole: string
  readonly partition: string
  /** What its roles trust: the hub's chain, or the person's own ID token. */
  readonly trust: 'hub' | 'web_identity'
  /** What trust policies demand of an ID token besides its audience. */
  readonly idToken: TokenDemands
}

export interface TokenDemands {
  /** Pattern of subjects, with wildcards. */
  readonly sub: string
  readonly amr: string | null
  /** Session tags. */
  readonly tags: Readonly<Record<string, string>>
}

/** What of IAM Identity Center comes into the catalog. */
export interface IdentityCenterConfig {
  /** Its home; null: the first of `aws.regions`. */
  readonly region: string | null
  /** Permission sets in all accounts, in those that have their role, or as they are written; groups all, all, or as they are written. */
  readonly import: 'all' | 'provisioned' | 'manual'
  /** What is given in it. */
  readonly push?: PushConfig
}

export interface PushConfig {
  /** By what a person is found who was not linked yet. */
  readonly match: 'email' | 'user_name' | 'external_id'
  /** How many memberships that should still stand are removed at once. */
  readonly mostRemovals: number
  /** Without a slash at its end; null: it is not known. */
  readonly portalUrl: string | null
}

/** The queue that tells of changes in AWS. */
export interface InventoryEvents {
  readonly queue: string
  /** Null: as the host of the queue says. */
  readonly region: string | null
  readonly buckets: readonly string[]
}

/** The configuration as the daemon uses it: defaults filled in, secrets read, durations in ms, sizes in bytes, paths absolute. */
export interface Config {
  readonly file: string
  readonly server: {
    readonly listen: HostPort
    readonly publicUrl: string
    /** Where other daemons on the same store reach this one; null: nowhere. */
    readonly peerUrl: string | null
    readonly tls: TlsFiles | null
    readonly trustedProxies: readonly string[]
    readonly metricsListen: HostPort
    /** Addresses and CIDRs of balancers that send the PROXY protocol. */
    readonly proxyProtocol: readonly string[]
    /** Processes that carry sessions; 0: this one does. */
    readonly workers: number
    readonly drainMs: number
    readonly drainDelayMs: number
  }
  readonly store: StorePlace & { readonly graceMs: number }
  readonly keysDir: string
  readonly stateDir: string
  readonly oidc: {
    readonly issuer: string
    readonly clientId: string
    readonly clientSecret: string | null
    readonly scopes: readonly string[]
    readonly groupsClaim: string
    readonly groupsSource: 'any' | 'id_token' | 'userinfo'
    /** The `prompt` of a sign-in that must be fresh; null: none. */
    readonly freshPrompt: string | null
    readonly managerClaim: string
    /** Of the ID token; null: nobody has a login name. */
    readonly loginClaim: string | null
    /** Of the ID token, for session tags. */
    readonly tagClaims: readonly string[]
    readonly adminGroups: readonly string[]
    readonly auditorGroups: readonly string[]
    readonly sessionIdleMs: number
    readonly sessionMaxMs: number
    readonly probeEveryMs: number
  }
  readonly aws: {
    readonly hubRoleArn: string | null
    readonly connectRole: string
    readonly externalId: string | null
    readonly regions: readonly string[]
    readonly accounts: Readonly<Record<string, AwsAccount>>
    /** Name, with its path, of the role that opens tunnels through instances. */
    readonly reachRole: string
    /** Name, with its path, of the managed policy that bounds revocable roles. */
    readonly revocationPolicy: string
    /** By lower-case service id (`sts`), or `*`. */
    readonly endpoints: Readonly<Record<string, string>>
  }
  /** By protocol. */
  readonly listeners: Readonly<Record<string, readonly ListenerConfig[]>>
  /** As written; `access/` makes the catalog, levels and rules of them, and reports every problem with its path. */
  readonly resources: readonly ResourceFile[]
  /** What is read of AWS into the catalog. */
  readonly inventory: {
    readonly organization: boolean
    /** Left out: nothing of it is read. */
    readonly identityCenter?: IdentityCenterConfig
    /** What is found in accounts: all of it, what is tagged for it, or only what is written by hand. Null: accounts are not read. */
    readonly import: 'all' | 'tagged' | 'manual' | null
    readonly everyMs: number
    /** Left out: none are read. */
    readonly events?: InventoryEvents
  }
  readonly levels: readonly LevelFile[]
  readonly access: readonly RuleFile[]
  readonly recordings: {
    readonly dir: string
    readonly maxPerSessionBytes: number
    readonly maxPerPrincipalBytes: number
    readonly reserveBytes: number
  }
  readonly audit: {
    readonly checkpointEveryMs: number
    readonly checkpointEvents: number
    readonly anchors: readonly ({ readonly file: string } | { readonly stdout: true })[]
  }
  readonly limits: {
    readonly sessions: number
    readonly sessionsPerPrincipal: number
    readonly sessionsPerResource: number
    readonly sessionIdleMs: number
  }
}

/** One thing wrong with the configuration file. */
export interface ConfigProblem {
  /** e.g. `resources[2].port` */
  readonly path: string
  readonly line: number
  readonly column: number
  /** What was expected and what was found. */
  readonly message: string
  /** What to do. */
  readonly fix: string
}

/** Result of `loadConfig` in load.ts, which never throws because of the file's content. */
export type LoadedConfig =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }

/** Semantic checks that belong to features (rules, levels, targets); given to `loadConfig` so that all problems are reported at once. */
export type ConfigCheck = (config: Config) => {
  readonly problems: readonly { path: string; message: string; fix: string }[]
  readonly warnings: readonly { path: string; message: string; fix: string }[]
}
