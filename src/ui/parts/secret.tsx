import { useEffect, useState } from 'react'
import { words } from '../words/en.ts'
import { screenWords } from '../words/screens.ts'

const shownMs = 30_000

/** Masked until it is asked for, and half a minute later again. */
export function Secret({ text }: { readonly text: string }) {
  const [isShown, setShown] = useState(false)
  const [label, setLabel] = useState<string>(words.copy)
  useEffect(() => {
    if (!isShown) return
    const timer = setTimeout(() => setShown(false), shownMs)
    return () => clearTimeout(timer)
  }, [isShown])
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setLabel(words.terminal.copied(1)),
      () => setLabel(words.terminal.notCopied),
    )
  return (
    <span className="secret">
      <code>{isShown ? text : '••••••••••••'}</code>
      <button type="button" onClick={() => setShown(!isShown)}>
        {isShown ? screenWords.grants.hide : screenWords.grants.show}
      </button>
      <button type="button" onClick={() => void copy()}>
        {label}
      </button>
    </span>
  )
}
