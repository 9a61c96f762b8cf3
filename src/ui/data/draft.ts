import { useState } from 'react'

const prefix = 'sallyport.draft.'

/**
 * What was typed and is not sent yet, kept for this tab: it is still there after a reload, and after another sign-in. For reasons and comments, never
 * for a secret.
 * @returns undefined until something was typed; an empty text forgets it
 */
export function useDraft(name: string): readonly [string | undefined, (text: string) => void] {
  const [text, setText] = useState(() => sessionStorage.getItem(prefix + name) ?? undefined)
  return [
    text,
    (typed) => {
      setText(typed)
      if (typed === '') sessionStorage.removeItem(prefix + name)
      else sessionStorage.setItem(prefix + name, typed)
    },
  ]
}
