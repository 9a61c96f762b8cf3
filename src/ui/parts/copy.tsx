import { useState } from 'react'
import { words } from '../words/en.ts'

interface CopyButtonProps {
  readonly text: string
  /** What is copied, where several buttons stand beside one another. */
  readonly what?: string
  readonly isSmall?: boolean
}

export function CopyButton({ text, what, isSmall = false }: CopyButtonProps) {
  const [label, setLabel] = useState<string>(words.copy)
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setLabel(words.terminal.copied(text.split('\n').length)),
      () => setLabel(words.terminal.notCopied),
    )
  return (
    <button
      type="button"
      className={isSmall ? 'small' : undefined}
      {...(what === undefined ? {} : { 'aria-label': `${label}: ${what}` })}
      onClick={() => void copy()}
    >
      {label}
    </button>
  )
}

/** A value that is needed elsewhere. */
export function Copyable({ text, what }: Required<Pick<CopyButtonProps, 'text' | 'what'>>) {
  return (
    <span className="copyable">
      <code className="whole">{text}</code> <CopyButton text={text} what={what} isSmall />
    </span>
  )
}
