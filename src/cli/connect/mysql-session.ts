import { spawnSync } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { makeSocketDirectory } from '../../../proxy/local/local-port.ts'
import { clientOptions, type Flavour } from '../../../proxy/local/mysql/client-settings.ts'
import { optionGroup } from '../../../proxy/local/mysql/option-file.ts'
import { replaceFile } from '../../../proxy/local/replace-file.ts'
import { exitCodeOf } from '../output.ts'
import { type ConnectDeps, type Connection, openConnection } from './open-connections.ts'
import { runProgram } from './run-program.ts'
import { chooseTarget, listResources } from './target.ts'
import { whileWatched } from './watch-grants.ts'

/**
 * `sallyport mysql`: a local port for as long as the client runs.
 * @returns the client's exit code; when it could not connect because the broker refused, the code for that
 */
export async function mysql(
  deps: ConnectDeps,
  reference: string,
  args: readonly string[],
  options: { readonly level?: string; readonly database?: string },
): Promise<number> {
  const client = await findClient(deps.env)
  const target = chooseTarget(await listResources(await deps.openApi()), reference, options.level, ['mysql'])
  await using cleanup = new AsyncDisposableStack()
  const { connection, refusal } = await openConnection(deps, target, options.database, cleanup)
  const file = await writeOptionFile(deps.env, connection, client.flavour, cleanup)
  const { database } = connection.settings
  const all = [`--defaults-file=${file}`, ...(database === '' ? [] : [`--database=${database}`]), ...args]
  const code = await whileWatched(deps, target, () => runProgram(client.program, all, quiet(deps.env), installHint))
  const refused = refusal()
  return code === failed && refused ? exitCodeOf(refused.code) : code
}

/** The client's code for every error. */
const failed = 1

const installHint =
  'install it: apt install mariadb-client, dnf install mariadb, brew install mysql-client; or use another client with: sallyport connect'

interface Client {
  readonly program: string
  readonly flavour: Flavour
}

/** Whichever is installed. Many systems call that of MariaDB `mysql`. @throws Error when neither is */
async function findClient(env: NodeJS.ProcessEnv): Promise<Client> {
  const mariadb = await onPath('mariadb', env)
  if (mariadb !== undefined) return { program: mariadb, flavour: 'mariadb' }
  const program = await onPath('mysql', env)
  if (program === undefined)
    throw Object.assign(new Error('neither mariadb nor mysql is on the PATH'), { hint: installHint })
  const { stdout } = spawnSync(program, ['--no-defaults', '--version'], { encoding: 'utf8', env, shell: false })
  return { program, flavour: /mariadb/i.test(stdout) ? 'mariadb' : 'mysql' }
}

async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, `${name}${suffix}`)
    if (await isAccessible(path, constants.X_OK)) return path
  }
  return undefined
}

function isAccessible(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

/**
 * The person's own option files first, for prompts and pagers, then ours, which goes over them: a password or a host of theirs must
 * not be used here, nor ours elsewhere. Only they can read it, and it is removed at the end; no process list shows what is in it.
 */
async function writeOptionFile(
  env: NodeJS.ProcessEnv,
  { settings }: Connection,
  flavour: Flavour,
  cleanup: AsyncDisposableStack,
): Promise<string> {
  const folder = await makeSocketDirectory(env)
  cleanup.defer(() => folder.remove())
  const path = join(folder.path, 'my.cnf')
  const own = await ownOptionFiles(env)
  const lines = [...own.map((file) => `!include ${file}`), optionGroup('client', clientOptions(settings, flavour))]
  await replaceFile(path, `${lines.join('\n')}\n`, 0o600)
  return path
}

/** Those that both clients read without being told, as far as they are there. */
async function ownOptionFiles(env: NodeJS.ProcessEnv): Promise<string[]> {
  const candidates = ['/etc/my.cnf', '/etc/mysql/my.cnf', join(env.HOME ?? homedir(), '.my.cnf')]
  const found: string[] = []
  for (const path of candidates) {
    if ((await isAccessible(path, constants.R_OK)) && !/[\r\n]/.test(path)) found.push(path)
  }
  return found
}

/** `mysql` reads its login paths after every other file; and an environment of the person's must not name another server. */
function quiet(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const elsewhere = new Set(['MYSQL_HOST', 'MYSQL_PWD', 'MYSQL_TCP_PORT', 'MYSQL_UNIX_PORT', 'MYSQL_GROUP_SUFFIX'])
  const kept = Object.entries(env).filter(([name]) => !elsewhere.has(name))
  return { ...Object.fromEntries(kept), MYSQL_TEST_LOGIN_FILE: '/dev/null' }
}
