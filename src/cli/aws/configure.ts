import { stat } from 'node:fs/promises'
import { asByteText, bare, fromByteText, splitLines, toByteText } from '../../../proxy/local/file-lines.ts'
import { readIfThere, replaceFile } from '../../../proxy/local/replace-file.ts'
import { doubleQuotedWord } from '../../../proxy/local/shell-quote.ts'
import { BrokerError } from '../../../proxy/session.ts'
import type { GrantView } from '../../contract/grants.ts'
import type { ResourceView } from '../../contract/resources.ts'
import { readList } from '../api/read-list.ts'
import { openApiClient } from '../login/login-store.ts'
import { exitCodes, printJson, printTable } from '../output.ts'
import { configFilePath, readSections } from './config-file.ts'

export interface ConfigureOptions {
  readonly prefix: string
  readonly remove?: boolean
  readonly json?: boolean
}

export interface Profile {
  readonly name: string
  readonly resource: string
  readonly level: string
  readonly command: string
}

/** A permission set that one holds, as the AWS CLI signs in to it: `aws sso login --profile NAME`. */
export interface SsoProfile {
  readonly name: string
  readonly resource: string
  readonly level: string
  readonly settings: Readonly<Record<string, string>>
}

const begin = '# begin of what `sallyport aws configure` wrote; it replaces everything up to the end'
const end = '# end of what `sallyport aws configure` wrote'

/** As far as it is read here. */
type ListedRole = Pick<ResourceView, 'id' | 'account' | 'name' | 'levels'> & {
  readonly grants: readonly Pick<ResourceView['grants'][number], 'level'>[]
}

/** `sallyport aws configure`: a profile for each role and level that one may use or ask for, and for each permission set that one holds. Never touches a credentials file. */
export async function configure(server: { server?: string }, options: ConfigureOptions): Promise<number> {
  const path = configFilePath(process.env)
  const before = toByteText((await readIfThere(path)) ?? Buffer.alloc(0))
  const profiles = options.remove ? [] : await listProfiles(server, options.prefix)
  const after = withProfiles(before, profiles)
  if (after !== before) await replaceFile(path, fromByteText(after), await modeOf(path))
  if (options.json) printJson({ file: path, profiles })
  else {
    printTable(
      ['PROFILE', 'RESOURCE', 'LEVEL'],
      profiles.map(({ name, resource, level }) => [name, resource, level]),
      options.remove
        ? 'no sallyport profiles are left'
        : 'you may use no roles; request access with: sallyport request',
    )
    process.stderr.write(`${path}\n`)
  }
  return exitCodes.done
}

async function listProfiles(server: { server?: string }, prefix: string): Promise<(Profile | SsoProfile)[]> {
  if (!/^[A-Za-z0-9_.@/-]*$/.test(prefix))
    throw new BrokerError('INVALID_INPUT', '--prefix: expected letters, digits and _.@/-')
  const api = await openApiClient(server)
  const roles = await readList(api, 'GET /api/v1/resources', { kind: 'iam-role' }, { all: true })
  const program = [process.execPath, process.argv[1] ?? 'sallyport', '--server', api.server]
  const { principal } = await api.call('GET /api/v1/whoami')
  const grants = await readList(api, 'GET /api/v1/grants', { who: principal.id }, { all: true })
  const ofRoles = toProfiles(roles.items, prefix, program)
  return [...ofRoles, ...toSsoProfiles(grants.items, prefix, new Set(ofRoles.map(({ name }) => name)))]
}

/** One for each permission set that is there; with its account in its name where another profile has the name. */
export function toSsoProfiles(
  grants: readonly Pick<GrantView, 'kind' | 'resourceId' | 'level' | 'push'>[],
  prefix: string,
  taken: ReadonlySet<string>,
): SsoProfile[] {
  const sets = grants.flatMap(({ kind, resourceId: resource, level, push }) => {
    const [, account = '', name = ''] = resource.split('/')
    const [url] = push?.portal?.split('/#/') ?? []
    if (kind !== 'permission-set' || push?.state !== 'granted' || url === undefined) return []
    const settings = { sso_start_url: url, sso_region: push.region, sso_account_id: account, sso_role_name: name }
    return [{ account, name, resource, level, settings }]
  })
  const once = [...new Map(sets.map((set) => [set.resource, set])).values()]
  return once.map(({ account, name, ...set }) => {
    const isShared = taken.has(`${prefix}${name}`) || once.filter((other) => other.name === name).length > 1
    return { name: `${prefix}${isShared ? `${account}-` : ''}${name}`, ...set }
  })
}

/** Names are as short as they can be: the role's, with its level where there are several, with its account where two share it. */
export function toProfiles(roles: readonly ListedRole[], prefix: string, program: readonly string[]): Profile[] {
  return roles.flatMap((role) => {
    const levels = new Set([...role.levels, ...role.grants.map((grant) => grant.level)])
    const isShared = roles.some((other) => other !== role && other.name === role.name)
    return [...levels].sort().map((level) => ({
      name: `${prefix}${isShared ? `${role.account}-` : ''}${role.name}${levels.size > 1 ? `-${level}` : ''}`,
      resource: role.id,
      level,
      command: [...program, 'aws', 'credential-process', role.id, '--level', level].map(doubleQuotedWord).join(' '),
    }))
  })
}

/**
 * The text of the file with these profiles and no other of ours, in the line ends that it has; everything else stays as it is.
 * @param text its bytes, as Latin-1
 * @throws BrokerError CONFIG_INVALID when a profile of that name is there already, or our own lines are damaged
 */
export function withProfiles(text: string, profiles: readonly (Profile | SsoProfile)[]): string {
  const others = withoutOurs(text)
  const taken = new Set(readSections(fromByteText(others).toString()).map((section) => section.name))
  const twice = profiles.find(({ name }) => taken.has(`profile ${name}`))
  if (twice)
    throw new BrokerError(
      'CONFIG_INVALID',
      `the profile ${twice.name} already exists and was not written by sallyport`,
      {
        hint: 'rename it, or choose another --prefix',
      },
    )
  if (profiles.length === 0) return others
  const ours = profiles.flatMap((profile) => [`[profile ${profile.name}]`, ...linesOf(profile), ''])
  const eol = /\r?\n/.exec(text)?.[0] ?? '\n'
  const gap = others === '' ? '' : others.endsWith('\n') ? eol : `${eol}${eol}`
  return `${others}${gap}${asByteText([begin, ...ours.slice(0, -1), end, ''].join(eol))}`
}

function linesOf(profile: Profile | SsoProfile): string[] {
  return 'command' in profile
    ? [`credential_process = ${profile.command}`]
    : Object.entries(profile.settings).map(([name, value]) => `${name} = ${value}`)
}

function withoutOurs(text: string): string {
  const lines = splitLines(text)
  const bares = lines.map(bare)
  const [first, last] = [bares.indexOf(begin), bares.indexOf(end)]
  if (first < 0 && last < 0) return text
  if (first < 0 || last < first || bares.indexOf(begin, first + 1) >= 0)
    throw new BrokerError('CONFIG_INVALID', 'the markers around the sallyport profiles are damaged', {
      hint: `delete the sallyport profiles and the lines "${begin}" and "${end}"`,
    })
  const gap = first > 0 && bares[first - 1] === '' ? first - 1 : first
  return [...lines.slice(0, gap), ...lines.slice(last + 1)].join('')
}

/** It keeps the one it has. */
function modeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.mode & 0o777,
    () => 0o600,
  )
}
