import '@xterm/xterm/css/xterm.css'
import { Terminal } from '@xterm/xterm'
import { themes } from './themes.ts'

const defaultSize = { cols: 80, rows: 24 }
const scrollback = 10_000

/**
 * An emulator that only shows. What a program asks of a terminal is not answered, links lead nowhere, and keys do nothing: there is no
 * way back.
 */
export function openViewer(container: HTMLElement): Terminal {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const theme = () => (dark.matches ? themes.dark : themes.light)
  const terminal = new Terminal({
    ...defaultSize,
    fontFamily: getComputedStyle(container).fontFamily,
    fontSize: 13,
    lineHeight: 1.2,
    scrollback,
    disableStdin: true,
    cursorBlink: false,
    minimumContrastRatio: 4.5,
    theme: theme(),
    linkHandler: { activate: () => undefined },
  })
  terminal.open(container)
  const onScheme = () => {
    terminal.options.theme = theme()
  }
  dark.addEventListener('change', onScheme)
  terminal.loadAddon({ activate: () => {}, dispose: () => dark.removeEventListener('change', onScheme) })
  return terminal
}
