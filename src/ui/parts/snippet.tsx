import { useState } from 'react'
import { words } from '../words/en.ts'

/** A command to be copied. Its words are quoted already. */
export function Snippet({ text }: { readonly text: string }) {
  const [label, setLabel] = useState<string>(words.copy)
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setLabel(words.terminal.copied(1)),
      () => setLabel(words.terminal.notCopied),
    )
  return (
    <div className="snippet">
      <code>{text}</code>
      <button type="button" onClick={() => void copy()}>
        {label}
      </button>
    </div>
  )
}
