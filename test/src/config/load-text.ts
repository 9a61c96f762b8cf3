import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Kinds } from '../../../src/catalog/kind.ts'
import type { ConfigCheck, ConfigProblem, LoadedConfig } from '../../../src/config/config.ts'
import { type Env, loadConfig } from '../../../src/config/load.ts'
import { kinds as builtIn } from '../../../src/kinds/registry.ts'

/** The shortest file that is right. */
export const minimal = `version: 1
server:
  public_url: http://localhost:8443
oidc:
  issuer: https://login.example.com
  client_id: sallyport
`

/** What every entry of an rds-postgres needs. */
export const database = { endpoint: 'orders.example.com', resource_id: 'db-ORDERS' }

export interface Options {
  readonly env?: Env
  readonly checks?: readonly ConfigCheck[]
  readonly now?: number
  readonly kinds?: Kinds
  /** Other files of the folder, by name. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
}

export function folder(t: Pick<Test, 'teardown'>, files: Options['files'] = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-config-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content)
  return dir
}

/** Loads `text` as the configuration file of an empty folder. */
export async function load(t: Pick<Test, 'teardown'>, text: string | Uint8Array, options: Options = {}) {
  const { env = {}, files = {}, kinds = builtIn, ...rest } = options
  const file = join(folder(t, { ...files, 'sallyport.yaml': text }), 'sallyport.yaml')
  return await loadConfig(file, { env, kinds, ...rest })
}

/** `LINE:COLUMN PATH: MESSAGE; FIX`, one for each problem. */
export async function problemsOf(t: Pick<Test, 'teardown'>, text: string | Uint8Array, options: Options = {}) {
  return lines(problemsIn(await load(t, text, options)))
}

export function problemsIn(loaded: LoadedConfig): readonly ConfigProblem[] {
  return loaded.ok ? [] : loaded.problems
}

export function lines(problems: readonly ConfigProblem[]): string[] {
  return problems.map(({ path, line, column, message, fix }) => `${line}:${column} ${path}: ${message}; ${fix}`)
}
