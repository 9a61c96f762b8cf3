/**
 * Reads a StartupMessage, which is untrusted: only parameters that are known to be harmless go upstream, and any other is
 * refused by name, because a client that requested something must not believe that it was applied.
 */
import { BrokerError } from '../../session.ts'
import { newestMinor, type StartupMessage } from '../../wire/postgres/messages.ts'
import { parseBoolean, parseMilliseconds } from '../../wire/postgres/setting-values.ts'
import { parseOptions } from '../../wire/postgres/startup-options.ts'
import type { PostgresClient } from './client.ts'
import { isHarmless, onlyOn } from './harmless-settings.ts'

/** What the startup message alone tells about a client. */
export interface Startup extends Pick<PostgresClient, 'minor' | 'unknownOptions' | 'database' | 'parameters' | 'tool'> {
  readonly user: string
}

const maxToolCharacters = 128

/**
 * Reads the parameters as PostgreSQL would: names of settings in any case; a separate parameter overrides the same one in
 * `options`.
 * @throws BrokerError UNSUPPORTED (version, replication, a parameter that isn't passed on), PROTOCOL_ERROR (an invalid value, among others)
 * @throws WireError for `options` that can't be read
 */
export function readStartup(message: StartupMessage): Startup {
  const { major, minor, parameters, extensions } = message
  if (major !== 3) throw unsupportedVersion(major, minor)
  const user = parameters.get('user')
  if (!user) throw new BrokerError('PROTOCOL_ERROR', 'the startup packet names no user')
  checkReplication(parameters.get('replication'))
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
  for (const [name, value] of parseOptions(parameters.get('options') ?? ''))
    setChecked(settings, checkName(name), value)
  const seen = new Set<string>()
  for (const [given, value] of parameters) {
    if (given === 'user' || given === 'database' || given === 'options' || given === 'replication') continue
    const name = checkName(given)
    if (seen.has(name)) throw new BrokerError('PROTOCOL_ERROR', `parameter "${name}" is given twice`)
    seen.add(name)
    setChecked(settings, name, value)
  }
  return settings
}

/** Some drivers always send it. Like the server: `database`, or a boolean. */
function checkReplication(value: string | undefined): void {
  if (value === undefined || parseBoolean(value) === false) return
  throw new BrokerError('UNSUPPORTED', 'replication connections')
}

function setChecked(settings: Map<string, string>, name: string, value: string): void {
  if (onlyOn.has(name) && parseBoolean(value) !== true) throw unsupportedSetting(`${name}=${value}`)
  // compared with the level's limit later, so it must be understood
  if (name === 'statement_timeout' && parseMilliseconds(value) === undefined)
    throw new BrokerError('PROTOCOL_ERROR', `invalid value for parameter "${name}": "${value.slice(0, 64)}"`)
  settings.set(name, value)
}

/** Case is folded as PostgreSQL does it, A to Z alone: no other letter may become the name of a setting. */
function checkName(given: string): string {
  const name = given.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
  if (name === 'application_name' || onlyOn.has(name) || isHarmless(name)) return name
  throw unsupportedSetting(given)
}

function unsupportedSetting(given: string): BrokerError {
  return new BrokerError('UNSUPPORTED', `startup parameter "${given.slice(0, 64)}"`, {
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
