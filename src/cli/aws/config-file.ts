import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * The text of `~/.aws/config`, section by section (AWS SDKs and Tools Reference Guide, "Format of the shared config and
 * credentials files").
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

/** Lines end as Python has it, also at a carriage return alone. */
export function readSections(text: string): ConfigSection[] {
  const sections: { name: string; lines: string[] }[] = [{ name: '', lines: [] }]
  for (const line of text.split(/\r\n|[\r\n]/)) {
    const heading = /^\s*\[([^\]]+)\]/.exec(line)?.[1]
    if (heading === undefined) sections.at(-1)?.lines.push(line)
    else sections.push({ name: heading.trim().replace(/\s+/g, ' '), lines: [line] })
  }
  return sections
}
