import type { Shell } from '../../terminal/shell.ts'
import { words } from '../../words/en.ts'

const keys = [
  ['Esc', '\u001b'],
  ['Tab', '\t'],
  ['Ctrl-C', '\u0003'],
  ['Ctrl-D', '\u0004'],
  ['↑', '\u001b[A'],
  ['↓', '\u001b[B'],
  ['←', '\u001b[D'],
  ['→', '\u001b[C'],
] as const

/** Keys that a touch screen lacks; shown there alone. */
export function KeyRow({ shell }: { readonly shell: Shell }) {
  const paste = async () => {
    shell.screen.paste(await navigator.clipboard.readText().catch(() => ''))
    shell.screen.focus()
  }
  return (
    <section className="key-row" aria-label={words.terminal.touchKeys}>
      {keys.map(([label, text]) => (
        <button
          key={label}
          type="button"
          onClick={() => {
            shell.type(text)
            shell.screen.focus()
          }}
        >
          {label}
        </button>
      ))}
      <button type="button" onClick={() => void paste()}>
        {words.terminal.paste}
      </button>
    </section>
  )
}
