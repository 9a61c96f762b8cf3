import type { ReactNode } from 'react'
import { visible } from '../words/en.ts'

export type Fact = readonly [label: string, value: ReactNode]

/** Label and value, line by line; what is undefined or null is left out. */
export function Facts({ facts }: { readonly facts: readonly (Fact | undefined)[] }) {
  return (
    <dl className="facts">
      {facts.map((fact) =>
        fact === undefined || fact[1] === null || fact[1] === undefined ? null : (
          <div key={fact[0]}>
            <dt>{visible(fact[0])}</dt>
            <dd>{fact[1]}</dd>
          </div>
        ),
      )}
    </dl>
  )
}
