/**
 * The config file of AWS as the tools under a role may see it. SDKs read its syntax differently (botocore takes `key: value`, indented
 * keys, `[profile "default"]` and a `[DEFAULT]` that all profiles inherit; JavaScript takes indented keys as they stand), so what is
 * not plain in all of them is left out, and of the default profile only settings that are known to be harmless are kept.
 */
import { readSections } from './config-file.ts'

const harmless =
  /^(?:region|output|ca_bundle|cli_\w+|s3|s3_\w+|retry_mode|max_attempts|use_(?:fips|dualstack)_endpoint|endpoint_url|ignore_configured_endpoint_urls|services|sts_regional_endpoints|defaults_mode|parameter_validation|tcp_keepalive|api_versions|user_agent_appid|sdk_ua_app_id|sigv4a_signing_region_set|account_id_endpoint_mode|(?:request|response)_checksum_\w+|disable_request_compression|request_min_compression_size_bytes|connect_timeout|read_timeout)$/
const secret = /^aws_(?:access_key_id|secret_access_key|session_token|security_token)$/

const heading = /^(profile|sso-session|services) ([\w.@/+-]+)$/
const assignment = /^([A-Za-z0-9_.-]+)[ \t]*[=:][ \t]*(.*)$/

/** @param named the profile in use; its settings become those of the default one */
export function quietConfig(text: string, named: string): string {
  const quiet = new Map<string, Settings>([['default', new Map()]])
  for (const { name, lines } of readSections(text)) {
    const [, kind, id] = heading.exec(name) ?? []
    if (profileOf(name) === named) addPlain(quiet, 'default', lines, (key) => harmless.test(key))
    if (kind === undefined || (kind === 'profile' && id === 'default') || !isPlain(lines[0])) continue
    addPlain(quiet, name, lines, (key) => !secret.test(key))
  }
  const sections = [...quiet].map(([name, settings]) => [`[${name}]`, ...[...settings.values()].flat(), ''].join('\n'))
  return sections.join('\n')
}

/** Lines by the name of the setting: a second one of a name, which botocore refuses, goes over the first. */
type Settings = Map<string, string[]>

function profileOf(name: string): string | undefined {
  if (name === 'default') return name
  return /^profile\s+["']?(.+?)["']?$/.exec(name)?.[1]
}

/** Nothing but the heading, and perhaps a comment. */
function isPlain(line = ''): boolean {
  return /^\[[^[\]]*\][ \t]*(?:[#;].*)?$/.test(line)
}

/** One setting a line, unindented; indented lines only below a setting without a value of its own, such as `s3 =`. */
function addPlain(
  sections: Map<string, Settings>,
  section: string,
  lines: readonly string[],
  mayStay: (key: string) => boolean,
): void {
  const settings: Settings = sections.get(section) ?? new Map()
  sections.set(section, settings)
  let parent: string[] | undefined
  for (const line of lines.slice(1)) {
    const [, key = '', value = ''] = assignment.exec(line.trim()) ?? []
    const name = key.toLowerCase()
    if (name === '') continue
    if (/^\s/.test(line)) {
      if (!secret.test(name)) parent?.push(`  ${name} = ${value}`)
    } else {
      const kept = [`${name} =${value && ` ${value}`}`]
      if (mayStay(name)) settings.set(name, kept)
      parent = mayStay(name) && value === '' ? kept : undefined
    }
  }
}
