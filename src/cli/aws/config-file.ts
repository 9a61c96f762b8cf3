import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * The text of `~/.aws/config`, section by section and otherwise as it was written (AWS SDKs and Tools Reference Guide, "Format
 * of the shared config and credentials files"). Pure, apart from where the file is.
 */
export interface ConfigSection {
  /** `default`, `profile NAME`, `sso-session NAME` …; empty for what stands before the first. */
  readonly name: string
  /** Its lines, the heading included. */
  readonly lines: readonly string[]
}

export function configFilePath(env: NodeJS.ProcessEnv): string {
  return env.AWS_CONFIG_FILE || join(homedir(), '.aws', 'config')
}

export function credentialsFilePath(env: NodeJS.ProcessEnv): string {
  return env.AWS_SHARED_CREDENTIALS_FILE || join(homedir(), '.aws', 'credentials')
}

export function readSections(text: string): ConfigSection[] {
  const sections: { name: string; lines: string[] }[] = [{ name: '', lines: [] }]
  for (const line of text.split('\n')) {
    const heading = /^\s*\[([^\]]+)\]/.exec(line)?.[1]
    if (heading === undefined) sections.at(-1)?.lines.push(line)
    else sections.push({ name: heading.trim().replace(/\s+/g, ' '), lines: [line] })
  }
  return sections
}

export function writeSections(sections: readonly ConfigSection[]): string {
  return sections.flatMap(({ lines }) => lines).join('\n')
}

/** Settings of a profile that say where credentials come from. */
const credentialKeys = new Set([
  'aws_access_key_id',
  'aws_secret_access_key',
  'aws_session_token',
  'credential_process',
  'credential_source',
  'login_session',
  'mfa_serial',
  'role_arn',
  'role_session_name',
  'source_profile',
  'sso_account_id',
  'sso_region',
  'sso_registration_scopes',
  'sso_role_name',
  'sso_session',
  'sso_start_url',
  'web_identity_token_file',
])

/** A profile's lines without those settings, the heading left out. */
export function harmlessLines(section: ConfigSection | undefined): string[] {
  const kept: string[] = []
  let isDropped = false
  for (const line of section?.lines.slice(1) ?? []) {
    const key = /^([A-Za-z0-9_]+)\s*=/.exec(line)?.[1]
    if (key !== undefined) isDropped = credentialKeys.has(key.toLowerCase())
    if (!isDropped) kept.push(line) // indented lines go with the setting before them
  }
  return kept
}

export function hasCredentials(section: ConfigSection | undefined): boolean {
  return harmlessLines(section).length < (section?.lines.length ?? 1) - 1
}

export function findProfile(sections: readonly ConfigSection[], name: string): ConfigSection | undefined {
  const headings = name === 'default' ? ['default', 'profile default'] : [`profile ${name}`]
  return sections.find((section) => headings.includes(section.name))
}
