import { Fragment } from 'react'
import { visible } from '../../words/en.ts'
import { partsOf } from './marked-parts.ts'

/** A text with each place marked where it has another, in upper or lower case. */
export function Marked({ text, sought }: { readonly text: string; readonly sought: string }) {
  const shown = text.split('\n').map(visible).join('\n')
  return partsOf(shown, sought).map(({ part, isFound }, i) => (
    <Fragment key={i}>{isFound ? <mark>{part}</mark> : part}</Fragment>
  ))
}
