import { useEffect, useState } from 'react'
import { screenWords } from '../words/screens.ts'
import { CopyButton } from './copy.tsx'

const shownMs = 30_000

/** Masked until it is asked for, and half a minute later again. */
export function Secret({ text }: { readonly text: string }) {
  const [isShown, setShown] = useState(false)
  useEffect(() => {
    if (!isShown) return
    const timer = setTimeout(() => setShown(false), shownMs)
    return () => clearTimeout(timer)
  }, [isShown])
  return (
    <span className="secret">
      <code>{isShown ? text : '••••••••••••'}</code>
      <button type="button" onClick={() => setShown(!isShown)}>
        {isShown ? screenWords.grants.hide : screenWords.grants.show}
      </button>
      <CopyButton text={text} />
    </span>
  )
}
