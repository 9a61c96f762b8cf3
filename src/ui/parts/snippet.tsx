import { visible, words } from '../words/en.ts'
import { CopyButton } from './copy.tsx'

/** A command to be copied. Its words are quoted already; with characters that no one sees it is none. */
export function Snippet({ text }: { readonly text: string }) {
  const isPlain = text.split(/[\n\t]/).every((part) => visible(part) === part)
  if (!isPlain) return <p className="note">{words.noSnippet}</p>
  return (
    <div className="snippet">
      <code>{text}</code>
      <CopyButton text={text} />
    </div>
  )
}
