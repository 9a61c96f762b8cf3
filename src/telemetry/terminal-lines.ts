/** What a command wrote has line feeds alone, which a terminal would show as a staircase. */
export class TerminalLines {
  #isCommand = false
  #endsWithReturn = false

  /** @param entry the first one counts */
  begin({ type, command, tty }: { readonly type: string; readonly command?: string; readonly tty?: boolean }): void {
    if (type === 'terminal') this.#isCommand = command !== undefined || tty === false
  }

  push(text: string): string {
    if (!this.#isCommand) return text
    const whole = this.#endsWithReturn ? `\r${text}` : text
    this.#endsWithReturn = text.endsWith('\r')
    const lines = whole.replaceAll(/\r?\n/g, '\r\n')
    return whole === text ? lines : lines.slice(1)
  }
}
