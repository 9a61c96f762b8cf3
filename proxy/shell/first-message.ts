import { longestCommand, parseObject } from './rules.ts'

/** In JSON a character may take six bytes. */
const longestCommandText = 6 * longestCommand + 1024
const longestResumeText = 512

/** The first message of a command. @returns undefined: it is none, or too long */
export function readCommand(text: Buffer): string | undefined {
  if (text.length > longestCommandText) return undefined
  const { command, ...more } = parseObject(text)
  if (typeof command !== 'string' || Object.keys(more).length > 0 || command.includes('\0')) return undefined
  return command.trim() === '' || command.length > longestCommand ? undefined : command
}

export interface ResumeMessage {
  readonly key: string
  /** Bytes of the terminal that the client has. */
  readonly received: number
}

/** The first message of a client that is back. @returns undefined: it is none, or too long */
export function readResume(text: Buffer): ResumeMessage | undefined {
  if (text.length > longestResumeText) return undefined
  const { resume, ...more } = parseObject(text)
  const { key, received } = Object(resume) as Readonly<Record<string, unknown>>
  if (typeof key !== 'string' || Object.keys(more).length > 0) return undefined
  return Number.isSafeInteger(received) && Number(received) >= 0 ? { key, received: Number(received) } : undefined
}
