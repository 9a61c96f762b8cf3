import { useState } from 'react'
import { visible, words } from '../words/en.ts'

/** A command to be copied. Its words are quoted already; with characters that no one sees it is none. */
export function Snippet({ text }: { readonly text: string }) {
  const [label, setLabel] = useState<string>(words.copy)
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setLabel(words.terminal.copied(1)),
      () => setLabel(words.terminal.notCopied),
    )
  const isPlain = text.split(/[\n\t]/).every((part) => visible(part) === part)
  if (!isPlain) return <p className="note">{words.noSnippet}</p>
  return (
    <div className="snippet">
      <code>{text}</code>
      <button type="button" onClick={() => void copy()}>
        {label}
      </button>
    </div>
  )
}
