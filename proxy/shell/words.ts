import { type Ending, endingText, stayHint } from '../ending.ts'
import { printable } from '../printable.ts'
import { BrokerError } from '../session.ts'

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

export const goesOnElsewhere = 'this session goes on in another connection'

export function awayNotice(forMs: number): string {
  return `the connection to the client was lost; the session waits ${Math.round(forMs / 1000)} s for it`
}

/** @param skipped bytes that it does not get */
export function backNotice(awayMs: number, skipped: number): string {
  const missed = skipped === 0 ? '' : `; ${skipped} bytes of output were not kept for it`
  return `the client is back after ${Math.round(awayMs / 1000)} s${missed}`
}

export const noExitCode =
  'the instance gave no exit code: the command was ended from outside, or the agent is older than 3.1.1511'

export const noInput = new BrokerError('UNSUPPORTED', 'the agents of instances give commands no input', {
  hint: 'let standard input come from /dev/null, or open a shell',
})

/** For the person: what happened, and what to do about it. */
export function errorText({ message, hint }: BrokerError): string {
  return hint === undefined ? message : `${message} (${hint})`
}
