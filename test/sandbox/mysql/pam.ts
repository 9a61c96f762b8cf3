import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { AwsFault } from '../aws/aws-fault.ts'
import type { RdsEndpoint, RdsTokenJudge } from '../aws/rds-token.ts'
import type { Leaf } from '../certificates.ts'
import { type MariaDb, skipWithoutMariaDb, startMariaDb } from './mariadb.ts'
import { iamUsers } from './seed.ts'

/**
 * A MariaDB that asks for the token and has it checked by itself (`specs/mysql-proxy.md` 16A): TLS, AuthSwitchRequest and errors
 * are the server's own. PAM's pam_script runs a program of ours, which asks the sandbox. Needs root, for `/etc/pam.d`.
 */
export interface PamMariaDb {
  readonly mariadb: MariaDb
  /** Of 127.0.0.1. */
  readonly port: number
  /** Users that PAM was asked about, and what came of it. */
  readonly asked: readonly { readonly user: string; readonly tokenBytes: number; readonly reason: string }[]
  close(): Promise<void>
}

/**
 * For `{ skip }`: it adds a service to the machine's PAM for as long as it runs, so that `SALLYPORT_PAM=true` must ask for it, as
 * `.ci/long` does.
 * @throws Error where CI asks for it and something is missing
 */
export function skipWithoutPam(): string | false {
  if (process.env.SALLYPORT_PAM !== 'true') return 'SALLYPORT_PAM is not true'
  const missing = pamMissing()
  if (missing && process.env.CI === 'true') throw new Error(missing)
  return missing || skipWithoutMariaDb()
}

function pamMissing(): string | false {
  if (process.getuid?.() !== 0) return 'only root can add a service to PAM'
  const folders = readdirSync('/lib').map((machine) => path.join('/lib', machine, 'security/pam_script.so'))
  return folders.some((file) => existsSync(file)) ? false : 'pam_script is not installed (libpam-script)'
}

export async function startPamMariaDb(options: {
  endpoint: RdsEndpoint
  certificate: Leaf
  tokens: RdsTokenJudge
}): Promise<PamMariaDb> {
  const asked: { user: string; tokenBytes: number; reason: string }[] = []
  const judge = createServer(async (request, response) => {
    const { user, token } = JSON.parse(await text(request)) as { user: string; token: string }
    const reason = reasonOf(() => options.tokens.check(token, user, options.endpoint))
    asked.push({ user, tokenBytes: token.length, reason })
    response.writeHead(reason === '' ? 204 : 403).end()
  })
  await new Promise<void>((resolve) => judge.listen(0, '127.0.0.1', resolve))
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-pam-'))
  const service = addPamService([`auth required pam_script.so dir=${folder}`, 'account required pam_permit.so'])
  const remove = () => {
    judge.close()
    service.remove()
    rmSync(folder, { recursive: true, force: true })
  }
  chmodSync(folder, 0o755) // MariaDB's helper may have given up root by then
  try {
    writeScript(folder, (judge.address() as AddressInfo).port)
    const mariadb = await startMariaDb({ tcp: { tls: options.certificate }, settings: pamSettings })
    await signInByPam(mariadb, service.name)
    return {
      mariadb,
      port: mariadb.tcpPort ?? 0,
      asked,
      close: async () => {
        await mariadb.close()
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}

/** For a MariaDB that has users of PAM: they are asked for their password by mysql_clear_password. */
export const pamSettings: readonly string[] = ['plugin-load-add=auth_pam.so', 'pam-use-cleartext-plugin=ON']

/** Adds a service to the machine's PAM. @throws Error for anyone but root */
export function addPamService(rules: readonly string[]): { readonly name: string; remove(): void } {
  if (process.getuid?.() !== 0) throw new Error('only root can add a service to PAM')
  const name = `sallyport-sandbox-${process.pid}`
  const file = path.join('/etc/pam.d', name)
  writeFileSync(file, rules.map((rule) => `${rule}\n`).join(''))
  return { name, remove: () => rmSync(file, { force: true }) }
}

/** From now on the users of IAM are that service's to judge. */
export async function signInByPam(mariadb: MariaDb, service: string): Promise<void> {
  for (const user of iamUsers)
    await mariadb.query(`ALTER USER ${user}@'%' IDENTIFIED VIA pam USING '${service}' REQUIRE SSL`)
}

function reasonOf(check: () => unknown): string {
  try {
    check()
    return ''
  } catch (error) {
    if (error instanceof AwsFault) return error.reason
    throw error
  }
}

/** pam_exec would do, but it cuts tokens at 511 bytes. */
function writeScript(folder: string, port: number): void {
  const program = path.join(folder, 'ask.mjs')
  writeFileSync(
    program,
    `const { PAM_USER: user = '', PAM_AUTHTOK: token = '' } = process.env
const answer = await fetch('http://127.0.0.1:${port}/', { method: 'POST', body: JSON.stringify({ user, token }) })
process.exitCode = answer.ok ? 0 : 1
`,
  )
  const script = `#!/bin/sh\nexec '${process.execPath}' '${program}'\n`
  writeFileSync(path.join(folder, 'pam_script_auth'), script, { mode: 0o755 })
}
