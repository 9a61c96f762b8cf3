import '@xterm/xterm/css/xterm.css'
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import { webAddress } from './addresses.ts'
import { BareLinks } from './bare-links.ts'
import { asksFirst, cleanPaste } from './paste.ts'
import type { TerminalSize } from './shell-socket.ts'
import { themes } from './themes.ts'

export interface ScreenListener {
  typed(bytes: Uint8Array<ArrayBuffer>): void
  resized(size: TerminalSize): void
  /** By the program that runs: anyone's text. */
  titled(title: string): void
  /** @param lines null: the browser refused */
  copied(lines: number | null): void
  /** Lines that would run at once; {@link Screen.paste} goes on with them. */
  pasteAsks(text: string): void
  linkAsks(address: string): void
  /** The person leaves the terminal by keyboard. */
  left(): void
}

/** Left by a program that was cut off: the alternate screen, bracketed paste, the mouse, application keys, colours. */
const resetModes =
  '\u001b[?1049l\u001b[?2004l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?1l\u001b>\u001b[0m\u001b[?25h'
const hideCursor = '\u001b[?25l'
const scrollback = 10_000
export const fontSizes = { least: 9, most: 28 } as const

/**
 * The emulator. Programs at the other end are not trusted: they can set no title of the page, read or write no clipboard (OSC 52 has no
 * handler), and lead nowhere without being asked.
 */
export class Screen {
  readonly #terminal: Terminal
  readonly #fit = new FitAddon()
  readonly #listener: ScreenListener
  readonly #dark = matchMedia('(prefers-color-scheme: dark)')
  readonly #closing = new AbortController()
  #observer: ResizeObserver | undefined

  constructor(container: HTMLElement, fontSize: number, listener: ScreenListener) {
    this.#listener = listener
    this.#terminal = new Terminal({
      fontFamily: getComputedStyle(container).fontFamily,
      fontSize,
      lineHeight: 1.2,
      scrollback,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      minimumContrastRatio: 4.5,
      theme: this.#theme,
      linkHandler: { activate: (event, address) => this.#activate(event, address) },
    })
    this.#terminal.loadAddon(this.#fit)
    this.#terminal.registerLinkProvider(new BareLinks(this.#terminal, (event, to) => this.#activate(event, to)))
    this.#terminal.onData((text) => listener.typed(new TextEncoder().encode(text)))
    this.#terminal.onBinary((text) => listener.typed(Uint8Array.from(text, (one) => one.charCodeAt(0))))
    this.#terminal.onResize(({ cols, rows }) => listener.resized({ cols, rows }))
    this.#terminal.onTitleChange((title) => listener.titled(title))
    this.#terminal.attachCustomKeyEventHandler((event) => this.#passes(event))
    this.#open(container)
  }

  get size(): TerminalSize {
    const { cols, rows } = this.#terminal
    return { cols, rows }
  }

  /** @param done called once it is on the screen */
  write(bytes: Uint8Array, done: () => void): void {
    this.#terminal.write(bytes, done)
  }

  /** What is shown stays, and nothing is typed any more. */
  freeze(): void {
    this.#terminal.options.disableStdin = true
    this.#terminal.write(hideCursor)
  }

  /** While the connection is away: what is typed would not arrive. */
  lock(): void {
    this.#terminal.options.disableStdin = true
  }

  unlock(): void {
    this.#terminal.options.disableStdin = false
  }

  /** For another shell, below what the last one has left. */
  thaw(): void {
    this.#terminal.write(`${resetModes}\r\n`)
    this.#terminal.options.disableStdin = false
  }

  focus(): void {
    this.#terminal.focus()
  }

  setFontSize(px: number): void {
    this.#terminal.options.fontSize = px
    this.#fit.fit()
  }

  /** @param isAgreed the person has seen it */
  paste(text: string, isAgreed = false): void {
    if (this.#terminal.options.disableStdin) return
    const cleaned = cleanPaste(text)
    if (!isAgreed && asksFirst(cleaned, this.#terminal.modes.bracketedPasteMode)) this.#listener.pasteAsks(cleaned)
    else this.#terminal.paste(cleaned)
  }

  async copySelection(): Promise<void> {
    if (this.#terminal.hasSelection()) await this.#copy(this.#terminal.getSelection())
  }

  async copyAll(): Promise<void> {
    this.#terminal.selectAll()
    const text = this.#terminal.getSelection()
    this.#terminal.clearSelection()
    await this.#copy(text.trimEnd())
  }

  close(): void {
    this.#closing.abort()
    this.#observer?.disconnect()
    this.#terminal.dispose()
  }

  #open(container: HTMLElement): void {
    const { signal } = this.#closing
    this.#terminal.open(container)
    this.#fit.fit()
    this.#observer = new ResizeObserver(() => this.#fit.fit())
    this.#observer.observe(container)
    // Ahead of xterm's own handlers, which pass on what they get.
    container.addEventListener('paste', (event) => this.#onPaste(event), { capture: true, signal })
    container.addEventListener('drop', (event) => event.preventDefault(), { capture: true, signal })
    this.#dark.addEventListener('change', () => this.#paint(), { signal })
  }

  get #theme() {
    return themes[this.#dark.matches ? 'dark' : 'light']
  }

  #paint(): void {
    this.#terminal.options.theme = this.#theme
  }

  #onPaste(event: ClipboardEvent): void {
    event.preventDefault()
    event.stopImmediatePropagation()
    this.paste(event.clipboardData?.getData('text/plain') ?? '')
  }

  /** @returns false for the few keys that are not the shell's */
  #passes(event: KeyboardEvent): boolean {
    const isOurs = event.ctrlKey && event.shiftKey && !event.altKey && !event.metaKey
    if (!isOurs || !['KeyC', 'KeyV', 'F6'].includes(event.code)) return true
    if (event.code !== 'KeyV') event.preventDefault() // with V the browser pastes
    if (event.type !== 'keydown') return false
    if (event.code === 'KeyC') void this.copySelection()
    if (event.code === 'F6') this.#listener.left()
    return false
  }

  #activate(event: MouseEvent, address: string): void {
    if (!event.ctrlKey && !event.metaKey) return
    const asked = webAddress(address)
    if (asked !== undefined) this.#listener.linkAsks(asked)
  }

  async #copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text)
      this.#listener.copied(text.split('\n').length)
    } catch {
      this.#listener.copied(null)
    }
  }
}
