/** Every text of the page. */

const minuteMs = 60_000
const hourMs = 60 * minuteMs

export const number = new Intl.NumberFormat('en')
const plural = new Intl.PluralRules('en')

export function counted(count: number, one: string, many: string): string {
  return `${count} ${plural.select(count) === 'one' ? one : many}`
}

/** Other people's text: no character may reverse what stands around it, or be invisible. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}')
}

/** A text of the broker, which begins small and has no full stop, as a sentence. */
export function sentence(text: string): string {
  const shown = visible(text)
  const [first = ''] = /^\S*/.exec(shown) ?? []
  // An address or an id stays as it is.
  const begin = /\S[@/_:.]\S/.test(first) ? shown.charAt(0) : shown.charAt(0).toUpperCase()
  return `${begin}${shown.slice(1)}${/[.!?)]$/.test(shown) ? '' : '.'}`
}

/** Of `any_of` in the rules: `group:database-owners`, `manager`, an e-mail. */
export function approver(text: string): string {
  if (text === 'manager') return 'their manager'
  return visible(text.replace(/^group:/, 'group '))
}

export function timeLeft(ms: number): string {
  if (ms <= 0) return 'no time left'
  if (ms < 2 * minuteMs) return `${Math.ceil(ms / 1000)} s left`
  if (ms < 2 * hourMs) return `${Math.floor(ms / minuteMs)} min left`
  return `${Math.floor(ms / hourMs)} h ${Math.floor((ms % hourMs) / minuteMs)} min left`
}

export const words = {
  noSuchPage: 'There is no such page',
  newVersion: 'A new version is here',
  reload: 'Reload',
  tryAgain: 'Try again',
  cancel: 'Cancel',
  close: 'Close',
  copy: 'Copy',
  noSnippet: 'There is no command to copy: a name in it has characters that cannot be seen.',
  notVerified: 'not verified',
  signInAgain: 'Sign in again',
  signedOut: 'Your sign-in has ended.',
  unreachable: 'The broker does not answer',
  requestId: (id: string) => `Request ${id}`,
  terminal: {
    title: (name: string) => `${name} · Terminal · Sallyport`,
    noGrant: 'You have no such grant',
    noGrantHint: 'It may be another person’s. A terminal opens for the one who holds the grant.',
    noTerminal: 'This grant is not for a shell',
    noTerminalHint: 'Terminals are for resources of the kind ec2-instance.',
    over: 'This access has ended',
    label: (name: string) => `Terminal on ${name}`,
    osUser: (user: string) => `as ${user}`,
    recorded: 'REC',
    recordedHint: 'What the terminal shows is recorded',
    inputRecorded: 'Everything that you type is recorded as well, passwords included.',
    caption: (title: string) => `“${visible(title).slice(0, 80)}”`,
    captionHint: 'The title that the program gave this window',
    size: ({ cols, rows }: { cols: number; rows: number }) => `${cols} × ${rows}`,
    copied: (lines: number) => `Copied ${counted(lines, 'line', 'lines')}`,
    notCopied: 'The browser did not allow copying',
    copySelection: 'Copy',
    copySelectionHint: 'Copy what is selected (Ctrl+Shift+C)',
    copyAll: 'Copy all',
    smaller: 'A−, smaller text',
    larger: 'A+, larger text',
    keys: 'Keys',
    askAgain: 'Ask again',
    askHint: 'Run this in a terminal of your own; an approver is told.',
    newShell: 'New shell',
    tryNow: 'Try now',
    touchKeys: 'Keys that a touch screen lacks',
    dismiss: 'Dismiss',
    phase: { connecting: 'Connecting', live: 'Live', away: 'Reconnecting', waiting: 'Waiting', over: 'Ended' },
    connection: 'Connection',
    away: 'The connection was lost. Reconnecting…',
    awayHint: (seconds: number) =>
      seconds > 0
        ? `The shell goes on, and waits ${counted(seconds, 'second', 'seconds')} for you. Typing is off until then.`
        : 'The shell may have ended by now. Typing is off.',
    back: (seconds: number) => `Reconnected after ${counted(seconds, 'second', 'seconds')}`,
    skipped: (bytes: number) => `${number.format(bytes)} bytes of output were not kept; the recording has them.`,
    typedLost: 'What you typed last did not arrive.',
    roundTrip: (ms: number) => `${ms < 1 ? '< 1' : Math.round(ms)} ms`,
    roundTripHint: 'Time for a message to the broker and back',
    waiting: (seconds: number) =>
      `The broker does not answer. Trying again in ${counted(seconds, 'second', 'seconds')}.`,
    lost: 'The connection to the broker was lost, and the shell with it.',
    exited: (code: number | null) =>
      code === null ? 'The shell has ended.' : `The shell has ended with code ${code}.`,
    cut: 'The broker ended the session.',
    pasteTitle: (lines: number) => `Paste ${counted(lines, 'line', 'lines')}?`,
    pasteHint: 'The program does not tell pasted text from typed text: each line runs as soon as it arrives.',
    paste: 'Paste',
    linkTitle: (host: string) => `Open an address of ${host}?`,
    linkHint: 'A program in the terminal shows it. It opens in another tab.',
    open: 'Open',
    keysTitle: 'Keys',
    keyList: [
      ['Ctrl+Shift+C', 'copy what is selected'],
      ['Ctrl+Shift+V', 'paste'],
      ['Ctrl+Shift+F6', 'leave the terminal for the buttons above it'],
      ['Ctrl+click', 'open a link'],
    ],
    keysHint: 'Every other key goes to the shell.',
  },
} as const
