import { type Ending, endingText, stayHint } from '../ending.ts'
import { printable } from '../printable.ts'
import type { BrokerError } from '../session.ts'

/** On a screen that may be in any state: its colours and the alternate screen are left first. */
export function onScreen(text: string): Buffer {
  return Buffer.from(`\u001b[0m\u001b[?1049l\u001b[?25h\r\n${printable(text)}\r\n`)
}

export function endingNotice(ending: Ending): string {
  return `${endingText('this session', ending)}; ${stayHint(ending)}`
}

export function recordingNotice(recordsInput: boolean): string {
  return recordsInput
    ? 'this session is recorded, with everything that you type, passwords too'
    : 'this session is recorded'
}

/** For the person: what happened, and what to do about it. */
export function errorText({ message, hint }: BrokerError): string {
  return hint === undefined ? message : `${message} (${hint})`
}
