import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Daemon, startDaemon } from '../../../src/daemon.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { freePort } from '../../sandbox/ports.ts'
import { folder } from './load-text.ts'

/** What a daemon of a test's own process needs, in a folder of its own. @param storeUrl SQLite there by default */
export async function smallConfig(
  t: Test,
  storeUrl?: string,
): Promise<{ dir: string; url: string; configFile: string }> {
  const dir = folder(t)
  const url = `http://127.0.0.1:${await freePort()}`
  const configFile = join(dir, 'sallyport.yaml')
  const listen = `listen: '${new URL(url).host}', metrics_listen: '127.0.0.1:${await freePort()}'`
  writeFileSync(
    configFile,
    `version: 1
server: { public_url: '${url}', ${listen} }
store: { url: '${storeUrl ?? `sqlite:${dir}/sallyport.db`}' }
state: { dir: '${dir}/state' }
keys: { dir: '${dir}/keys' }
recordings: { dir: '${dir}/recordings', reserve: 50MB }
oidc: { issuer: 'https://login.example.com', client_id: sallyport }
`,
  )
  return { dir, url, configFile }
}

/** The caller stops it. @param onLine called with each line of its log, as it is written */
export async function startHere(configFile: string, onLine: (line: string) => void): Promise<Daemon> {
  const logger = createLogger({ destination: { write: onLine } })
  const daemon = await startDaemon({ configFile, env: {}, logger })
  if (!daemon) throw new Error('the configuration is invalid')
  return daemon
}
