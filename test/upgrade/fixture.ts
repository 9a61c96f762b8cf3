import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { writeLeaf } from '../sandbox/certificates.ts'
import type { DaemonFiles } from '../sandbox/daemon-files.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'

/** What an earlier daemon left behind: store, keys, recordings, anchor and configuration, and what it said of them. */
export interface Fixture {
  readonly folder: string
  readonly manifest: Manifest
}

/** Lists are as that daemon answered them, members that change with time left out. */
export interface Manifest {
  /** The last commit that changed the daemon. */
  readonly commit: string
  /** Epoch milliseconds, a moment after it was killed. */
  readonly madeAt: number
  /** Of the OpenID provider: part of who everybody is, so its port has to be the same again. */
  readonly issuer: string
  readonly audit: {
    readonly events: number
    /** Of the last event. */
    readonly hash: string
    readonly publicKeyPem: string
  }
  readonly principals: readonly OldPrincipal[]
  readonly grants: readonly OldGrant[]
  readonly requests: readonly OldRequest[]
  readonly sessions: readonly OldSession[]
  /** By session: what the recording must play, and nothing else. */
  readonly recordings: Readonly<Record<string, readonly object[]>>
  /** Secrets are those of a company that is none. */
  readonly tokens: {
    /** Of a service account, for a year. */
    readonly api: { readonly id: string; readonly token: string; readonly principal: string }
    /** Of alice's command line. */
    readonly login: { readonly token: string }
    /** Alice's, for `orders`. */
    readonly connect: { readonly id: string; readonly token: string }
  }
  /** Handed out to alice. */
  readonly credentials: { readonly accessKeyId: string; readonly session: string }
  readonly marked: {
    /** Alice's on `orders` and on the revocable role; the service account's own on `billing`. */
    readonly liveGrants: { readonly orders: string; readonly role: string; readonly selfService: string }
    readonly pendingRequest: string
    /** Open when the daemon was killed. */
    readonly openSession: string
    /** By id; it is bob. */
    readonly lockedPrincipal: string
  }
}

export interface OldPrincipal {
  readonly id: string
  readonly kind: string
  readonly name: string
  readonly groups: readonly string[]
  readonly lockedAt: number | null
}

export interface OldGrant {
  readonly id: string
  readonly requestId: string
  readonly principal: { readonly id: string; readonly name: string }
  readonly resourceId: string
  readonly level: string
  readonly rule: string
  readonly startsAt: number
  readonly endsAt: number
  readonly state: string
  readonly endedAt: number | null
  readonly endReason: string | null
  readonly endText: string | null
}

export interface OldRequest {
  readonly id: string
  readonly requester: { readonly id: string; readonly name: string }
  readonly resourceId: string
  readonly level: string
  readonly durationMs: number
  readonly reason: string | null
  readonly digest: string
  readonly status: string
  readonly statusReason: string | null
  readonly expiresAt: number
  readonly decisions: readonly object[]
  readonly grantId: string | null
}

export interface OldSession {
  readonly id: string
  readonly principal: string
  readonly grantId: string
  readonly resourceId: string
  readonly kind: string
  readonly openedAt: number
  readonly endedAt: number | null
  readonly endReason: string | null
  readonly recording: { readonly digest: string | null; readonly entries: number }
}

export const fixturesDir = fileURLToPath(new URL('../fixtures/upgrade', import.meta.url))

/** Below those of `freePort`, so that no other double of a test takes it. */
export const issuerPort = 18_943

/** Copied as they are; their names are those of {@link DaemonFiles}. */
const parts = ['keys', 'recordings', 'anchor.jsonl'] as const
const storeName = 'sallyport.db.gz'
const configName = 'sallyport.yaml'
const manifestName = 'manifest.json'

export function readFixtures(): Fixture[] {
  return readdirSync(fixturesDir).map((name) => {
    const folder = path.join(fixturesDir, name)
    return { folder, manifest: JSON.parse(readFileSync(path.join(folder, manifestName), 'utf8')) as Manifest }
  })
}

/** Keeps what a daemon that is stopped has left. */
export function writeFixture(sandbox: Sandbox, files: DaemonFiles, { folder, manifest }: Fixture): void {
  for (const part of parts) cpSync(path.join(files.dir, part), path.join(folder, part), { recursive: true })
  const spool = path.join(folder, 'keys', 'audit.spool') // of versions that kept it there
  if (existsSync(spool)) writeFileSync(spool, readFileSync(spool, 'utf8').trimEnd()) // what reserves room is filled in again
  writeFileSync(path.join(folder, storeName), gzipSync(readFileSync(files.databaseFile)))
  let config = readFileSync(files.configFile, 'utf8')
  for (const [name, value] of places(sandbox, files)) config = config.replaceAll(value, name)
  writeFileSync(path.join(folder, configName), config)
  writeFileSync(path.join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`)
}

/** Puts a copy where a daemon can run on it, with the configuration of its own time for this sandbox. */
export async function placeFixture(sandbox: Sandbox, { folder }: Fixture, dir: string): Promise<DaemonFiles> {
  const files = await sandbox.writeConfig(dir) // for its ports, its certificate, and a provider that knows them
  const validity = { notBefore: Date.UTC(2020), notAfter: Date.UTC(2049) } // of all times that a test moves to
  writeLeaf(dir, 'listener', sandbox.authority.issue(['localhost', '127.0.0.1'], validity))
  let config = readFileSync(path.join(folder, configName), 'utf8')
  for (const [name, value] of places(sandbox, files)) config = config.replaceAll(name, value)
  writeFileSync(files.configFile, config)
  for (const part of parts) cpSync(path.join(folder, part), path.join(dir, part), { recursive: true })
  writeFileSync(files.databaseFile, gunzipSync(readFileSync(path.join(folder, storeName))))
  chmodSync(files.keysDir, 0o700)
  for (const key of readdirSync(files.keysDir)) chmodSync(path.join(files.keysDir, key), 0o600) // git keeps no modes
  return files
}

/** What differs from run to run, and how the fixture's configuration writes it. */
function places(sandbox: Sandbox, files: DaemonFiles): readonly (readonly [string, string])[] {
  const { orders, billing } = sandbox.databases
  return [
    ['<dir>', files.dir],
    ['<ca-file>', sandbox.caFile],
    ['<aws>', sandbox.aws.url],
    ['<http>', new URL(files.url).host],
    ['<metrics>', new URL(files.metricsUrl).host],
    ['<postgres>', `127.0.0.1:${files.postgresPort}`],
    ['<orders>', `127.0.0.1:${orders.listenPort}`],
    ['<billing>', `127.0.0.1:${billing.listenPort}`],
  ]
}
