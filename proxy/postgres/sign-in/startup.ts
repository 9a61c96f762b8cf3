/**
 * Reads a StartupMessage, which is untrusted: only parameters that are known to be harmless go upstream, and any other is
 * refused by name, because a client that requested something must not believe that it was applied.
 */
import { BrokerError } from '../../session.ts'
import { newestMinor, type StartupMessage } from '../../wire/postgres/messages.ts'
import { parseOptions } from '../../wire/postgres/startup-options.ts'
import type { PostgresClient } from './client.ts'

/** What the startup message alone tells about a client. */
export interface Startup extends Pick<PostgresClient, 'minor' | 'unknownOptions' | 'database' | 'parameters' | 'tool'> {
  readonly user: string
}

/**
 * Settings that any role may change for its own session anyway, in lower case as PostgreSQL compares them. Left out on
 * purpose: `role`, `session_authorization`, `local_preload_libraries`, `standard_conforming_strings`, `log_*`.
 */
const forwarded: ReadonlySet<string> = new Set([
  'bytea_output',
  'client_encoding',
  'client_min_messages',
  'datestyle',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'extra_float_digits',
  'geqo',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'intervalstyle',
  'jit',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'lock_timeout',
  'plan_cache_mode',
  'search_path',
  'statement_timeout',
  'timezone',
  'transaction_timeout',
  'work_mem',
])

const maxToolCharacters = 128

/**
 * Reads the parameters as PostgreSQL would: names of settings in any case; a separate parameter overrides the same one in
 * `options`.
 * @throws BrokerError UNSUPPORTED (version, replication, a parameter that isn't passed on), PROTOCOL_ERROR
 * @throws WireError for `options` that can't be read
 */
export function readStartup(message: StartupMessage): Startup {
  const { major, minor, parameters, extensions } = message
  if (major !== 3) throw unsupportedVersion(major, minor)
  const user = parameters.get('user')
  if (!user) throw new BrokerError('PROTOCOL_ERROR', 'the startup packet names no user')
  if (parameters.has('replication')) throw new BrokerError('UNSUPPORTED', 'replication connections')
  const database = parameters.get('database')
  const settings = readSettings(parameters)
  const tool = cutTool(settings.get('application_name'))
  settings.delete('application_name')
  return {
    user,
    minor,
    unknownOptions: extensions,
    parameters: settings,
    ...(database && database !== user ? { database } : {}),
    ...(tool ? { tool } : {}),
  }
}

function readSettings(parameters: ReadonlyMap<string, string>): Map<string, string> {
  const settings = new Map<string, string>()
  for (const [name, value] of parseOptions(parameters.get('options') ?? '')) settings.set(checkName(name), value)
  const seen = new Set<string>()
  for (const [given, value] of parameters) {
    if (given === 'user' || given === 'database' || given === 'options') continue
    const name = checkName(given)
    if (seen.has(name)) throw new BrokerError('PROTOCOL_ERROR', `parameter "${name}" is given twice`)
    seen.add(name)
    settings.set(name, value)
  }
  return settings
}

/** Case is folded as PostgreSQL does it, A to Z alone: no other letter may become the name of a setting. */
function checkName(given: string): string {
  const name = given.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
  if (forwarded.has(name) || name === 'application_name') return name
  throw new BrokerError('UNSUPPORTED', `startup parameter "${given.slice(0, 64)}"`, {
    hint: 'Remove it from the connection settings and from "options".',
  })
}

function unsupportedVersion(major: number, minor: number): BrokerError {
  return new BrokerError('UNSUPPORTED', `protocol ${major}.${minor}; it supports 3.0 to 3.${newestMinor}`)
}

/** Cuts between characters, so that none is split. */
function cutTool(name = ''): string {
  return name.length > maxToolCharacters ? [...name].slice(0, maxToolCharacters).join('') : name
}
