import { keepLogin } from '../../src/cli/login/login-store.ts'
import { signInByBrowser } from '../../src/cli/login/sign-in.ts'
import { type Commands, commandsOf } from '../sandbox/commands.ts'
import { type DaemonOptions, type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import { type AccountName, accountNames } from '../sandbox/oidc/accounts.ts'
import { createPerson, type Person } from '../sandbox/person.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from '../sandbox/sandbox.ts'

/** The sandbox's people at one address of the product: with their browser, and on their command line. */
export interface Door {
  readonly sandbox: Sandbox
  readonly commands: Readonly<Record<AccountName, Commands>>
  /** An API call by a person's browser. @throws Error for a status of 400 and above, with its body */
  api<T = unknown>(person: AccountName, method: string, path: string, body?: unknown): Promise<T>
  /** The same, whatever the answer is. */
  call(person: AccountName, method: string, path: string, body?: unknown): Promise<Response>
  /** The `cookie` header of a person's browser. */
  cookie(person: AccountName): string
  /** A grant of alice's for `orders`, asked for by her and approved by bob. */
  grant(durationMs?: number, resource?: string, level?: string): Promise<{ id: string; requestId: string }>
  /** Signs the named people in again (default everyone): after a restart of the daemon with another store. */
  signIn(people?: readonly AccountName[]): Promise<void>
}

/** The sandbox, the product beside it, and its four people, signed in. */
export interface Company extends Door {
  daemon: RunningDaemon
  close(): Promise<void>
}

export interface CompanyOptions extends DaemonOptions {
  readonly sandbox?: SandboxOptions
}

export async function startCompany({ sandbox: asked, ...options }: CompanyOptions = {}): Promise<Company> {
  const sandbox = await startSandbox(asked)
  try {
    return await companyIn(sandbox, options)
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

/** In a sandbox that is there. @param people who signs in at once */
export async function companyIn(
  sandbox: Sandbox,
  options: DaemonOptions = {},
  people: readonly AccountName[] = accountNames,
): Promise<Company> {
  const company = found(sandbox, await startDaemon(sandbox, options))
  try {
    await company.signIn(people)
    return company
  } catch (error) {
    await company.daemon.stop()
    throw error
  }
}

function found(sandbox: Sandbox, daemon: RunningDaemon): Company {
  const company: Company = {
    ...doorOf(sandbox, daemon),
    daemon,
    close: async () => {
      await company.daemon.stop()
      await sandbox.close()
    },
  }
  return company
}

export interface DoorOptions {
  readonly url: string
  /** Where the homes of command lines are. */
  readonly dir: string
  /** `server.public_url`; `url` by default. */
  readonly publicUrl?: string
  /** The browsers, which may know other doors as well; new ones by default. */
  readonly people?: Readonly<Record<AccountName, Person>>
}

export const newPeople = () => byName((name) => createPerson(name))

/** Nobody is signed in yet. */
export function doorOf(sandbox: Sandbox, options: DoorOptions): Door {
  const { url, dir, publicUrl = url, people = newPeople() } = options
  const commands = byName((name) => commandsOf(name, { dir, url }))
  const call: Door['call'] = (person, method, path, body) =>
    people[person].fetch(new URL(path, url).href, {
      method,
      headers: { origin: publicUrl, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const api: Door['api'] = async <T>(...ask: Parameters<Door['call']>) => {
    const response = await call(...ask)
    const text = await response.text()
    if (!response.ok) throw new Error(`${ask[1]} ${ask[2]}: ${response.status} ${text}`)
    return (text === '' ? undefined : JSON.parse(text)) as T
  }
  return {
    sandbox,
    commands,
    call,
    api,
    cookie: (person) => people[person].cookieFor(url),
    grant: (durationMs = 3_600_000, resource = 'orders', level = 'readonly') =>
      grant(api, { durationMs, resource, level }),
    signIn: (names = accountNames) => signIn(names, people, commands, url),
  }
}

async function signIn(
  names: readonly AccountName[],
  people: Readonly<Record<AccountName, Person>>,
  commands: Readonly<Record<AccountName, Commands>>,
  url: string,
): Promise<void> {
  for (const name of names) {
    await people[name].signIn(`${url}/login`)
    await signInCommands(name, commands[name].env, url)
  }
}

/** As `sallyport login` does, without a process for it and another for its browser. */
async function signInCommands(name: AccountName, env: NodeJS.ProcessEnv, server: string): Promise<void> {
  const { promise: failed, reject } = Promise.withResolvers<never>()
  const say = (text: string) => {
    const address = /https?:\S+/.exec(text)?.[0]
    if (address !== undefined) createPerson(name).signIn(address).catch(reject)
  }
  const signedIn = signInByBrowser(server, { env, fresh: false, browser: false, say })
  const { token, principal } = await Promise.race([signedIn, failed])
  await keepLogin(server, { token, name: principal.name, ca: null }, env)
}

interface RequestAnswer {
  request: { id: string; digest: string; ruleRevision: string }
  grant: { id: string } | null
}

async function grant(api: Door['api'], ask: { durationMs: number; resource: string; level: string }) {
  const asked = await api<RequestAnswer>('alice', 'POST', '/api/v1/requests', {
    ...ask,
    reason: 'why is order 17 late',
  })
  const { id } = asked.request
  const shown = await api<{ request: { digest: string } }>('bob', 'GET', `/api/v1/requests/${id}`)
  const decided = await api<RequestAnswer>('bob', 'POST', `/api/v1/requests/${id}/approve`, {
    digest: shown.request.digest,
  })
  if (!decided.grant) throw new Error(`${id} was approved, and there is no grant`)
  return { id: decided.grant.id, requestId: id }
}

function byName<T>(make: (name: AccountName) => T): Record<AccountName, T> {
  return Object.fromEntries(accountNames.map((name) => [name, make(name)])) as Record<AccountName, T>
}
